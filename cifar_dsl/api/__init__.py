"""The Python API. `cifar_dsl` makes the public names importable; commands use the others, too."""

from cifar_dsl.api.comparison import Comparison, compare
from cifar_dsl.api.run import History, Run
from cifar_dsl.api.specs import (
    ImportedSpec,
    Spec,
    artifact_at,
    check_used,
    choice_of,
    data,
    find_run,
    from_torch,
    job,
    load,
    load_trained,
    longer,
    open_data,
    open_data_for_all,
    spec_of_text,
    train,
    with_overrides,
)

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
