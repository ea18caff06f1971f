"""The Python API. `cifar_dsl` makes the public names importable; commands use the others, too."""

from cifar_dsl.api.comparison import Comparison, compare
from cifar_dsl.api.imported import ImportedSpec, from_torch
from cifar_dsl.api.run import History, Run
from cifar_dsl.api.specs import (
    Spec,
    artifact_at,
    check_used,
    choice_of,
    data,
    load,
    longer,
    open_data,
    open_data_for_all,
    spec_of_text,
    with_overrides,
)
from cifar_dsl.api.training import find_run, job, load_trained, train

__all__ = [
    "Comparison",
    "History",
    "ImportedSpec",
    "Run",
    "Spec",
    "artifact_at",
    "check_used",
    "choice_of",
    "compare",
    "data",
    "find_run",
    "from_torch",
    "job",
    "load",
    "load_trained",
    "longer",
    "open_data",
    "open_data_for_all",
    "spec_of_text",
    "train",
    "with_overrides",
]
