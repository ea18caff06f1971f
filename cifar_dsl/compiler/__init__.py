"""Compiles syntax trees to the IR, without torch."""

from cifar_dsl.compiler.analysis import Analysis, Library, analyze, analyze_text, examine, with_data
from cifar_dsl.compiler.changes import changes, override_phrase
from cifar_dsl.compiler.recipe import DataShape

__all__ = [
    "Analysis",
    "DataShape",
    "Library",
    "analyze",
    "analyze_text",
    "changes",
    "examine",
    "override_phrase",
    "with_data",
]
