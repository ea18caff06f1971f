"""Syntax trees -> the IR: what a spec means, worked out without torch."""

from cifar_dsl.semantics.analysis import Analysis, analyze, analyze_text
from cifar_dsl.semantics.changes import changes
from cifar_dsl.semantics.recipe import DataShape

__all__ = ["Analysis", "DataShape", "analyze", "analyze_text", "changes"]
