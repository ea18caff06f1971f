"""Compiles syntax trees to the IR, without torch."""

from cifar_dsl.compiler.analysis import Analysis, Library, analyze, analyze_text, examine
from cifar_dsl.compiler.changes import changes, override_phrase
from cifar_dsl.compiler.data import ChosenData, DataShape

__all__ = [
    "Analysis",
    "ChosenData",
    "DataShape",
    "Library",
    "analyze",
    "analyze_text",
    "changes",
    "examine",
    "override_phrase",
]
