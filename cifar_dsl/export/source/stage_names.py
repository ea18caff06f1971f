"""The names of stages in printed loops: conv, conv2, conv3 ..."""

from cifar_dsl.export.source.expressions import Constant, Expression, Operation, Variable, written
from cifar_dsl.export.source.layout import LOOP_VARIABLE


def number_in_loop(first: int, difference: int) -> str:
    """The number of a stage as an expression of the loop's variable: `first` in the first round, then growing."""
    i = Variable(LOOP_VARIABLE)
    grown: Expression = i if difference == 1 else Operation(("*",), (Constant(difference), i))
    return (
        "i"
        if not first and difference == 1
        else written(Operation(("+",), (grown, Constant(first))) if first else grown)
    )


def numbered_name(base: str, first: int, difference: int) -> str:
    """The name of a stage, as an expression of the loop's variable; stage 1 has no number."""
    number = number_in_loop(first, difference)
    return f'numbered("{base}", {number})' if first == 1 else f'f"{base}{{{number}}}"'
