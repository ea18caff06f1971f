"""Compiles syntax trees to the IR, without torch."""

from cifar_dsl.compiler.analysis import Analysis, Library, analyze, analyze_text, examine
from cifar_dsl.compiler.changes import changes, override_phrase
from cifar_dsl.compiler.data import ChosenData, DataShape
from cifar_dsl.compiler.training_sizes import TrainingSize, mean_macs

__all__ = [
    "Analysis",
    "ChosenData",
    "DataShape",
    "Library",
    "TrainingSize",
    "analyze",
    "analyze_text",
    "changes",
    "examine",
    "mean_macs",
    "override_phrase",
]
