"""The words for the axes of a tensor."""

from cifar_dsl.foundation.text import alternatives
from cifar_dsl.ir import Operation, Shape
from cifar_dsl.operations.layers.base import noun
from cifar_dsl.operations.registry import MisfitError

_AXES = {1: ("features",), 2: ("tokens", "features"), 3: ("channels", "rows", "columns")}  # by their number
AXIS_WORDS = ("channels", "rows", "columns", "tokens", "features")


def axis_noun(x: Shape, axis: int) -> str:
    """The word for the extent of an axis, from 0: channels, rows, columns, tokens or features."""
    return _AXES[len(x.extents)][axis]


def axis_of(operation: Operation, x: Shape, over: str) -> int:
    """The axis with this word. Raises MisfitError, about the argument `over`, if `x` has none."""
    words = _AXES[len(x.extents)]
    if over not in words:
        have = "have" if x.is_tokens else "has"
        help_text = f"use {alternatives([f'`{word}`' for word in words])}"
        message = f"{noun(x)} {have} no {over}, which `{operation.name}` goes over"
        raise MisfitError("E0306", message, argument="over", help=(help_text,))
    return words.index(over)
