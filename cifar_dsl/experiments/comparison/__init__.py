"""Runs -> a comparison of specs: statistics, tables, figures. Reads runs and trains nothing."""

from cifar_dsl.experiments.comparison.rows import ComparedSpec, Comparison, Row, check_baseline, compare

__all__ = ["ComparedSpec", "Comparison", "Row", "check_baseline", "compare"]
