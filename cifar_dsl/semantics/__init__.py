"""Syntax trees -> the IR: what a spec means, worked out without torch."""

from cifar_dsl.semantics.analysis import Analysis, Library, analyze, analyze_text, examine
from cifar_dsl.semantics.changes import changes, override_phrase
from cifar_dsl.semantics.recipe import DataShape

__all__ = [
    "Analysis",
    "DataShape",
    "Library",
    "analyze",
    "analyze_text",
    "changes",
    "examine",
    "override_phrase",
]
