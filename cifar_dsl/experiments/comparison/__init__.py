"""Runs -> a comparison of specs: statistics, tables, figures. Only reads runs; never trains."""

from cifar_dsl.experiments.comparison.readable import read_run, readable_runs
from cifar_dsl.experiments.comparison.rows import (
    ComparedSpec,
    Comparison,
    Row,
    check_baseline,
    choose_baseline,
    compare,
)

__all__ = [
    "ComparedSpec",
    "Comparison",
    "Row",
    "check_baseline",
    "choose_baseline",
    "compare",
    "read_run",
    "readable_runs",
]
