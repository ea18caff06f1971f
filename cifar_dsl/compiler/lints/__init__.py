"""Warnings about specs without errors, comments that allow warnings, and automatic fixes."""

from cifar_dsl.compiler.lints.fixing import fixed
from cifar_dsl.compiler.lints.inspection import Inspection, inspect, naming

__all__ = ["Inspection", "fixed", "inspect", "naming"]
