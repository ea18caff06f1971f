"""What a spec may say and most likely should not: warnings, the comments that allow them, and fixes."""

from cifar_dsl.compiler.lints.fixing import fixed
from cifar_dsl.compiler.lints.inspection import Inspection, inspect

__all__ = ["Inspection", "fixed", "inspect"]
