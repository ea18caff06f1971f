"""The names that expressions may use without a definition: functions, facts of the current tensor, budgets."""

import math
from collections.abc import Callable

from cifar_dsl.foundation.records import frozen

Number = int | float


@frozen
class Function:
    """A function of expressions. `parameters` is how it is shown; `most` is None for any number of arguments.

    `call` takes numbers; it is None for `len`, which takes a list.
    """

    parameters: str
    doc: str
    least: int
    most: int | None
    call: Callable[..., Number] | None


def _round_to(x: Number, multiple: Number) -> Number:
    """The nearest multiple, at least one, and never less than 0.9 x: widths of mobile networks.

    As in https://github.com/tensorflow/models/blob/master/research/slim/nets/mobilenet/mobilenet.py
    """
    rounded = max(multiple, math.floor(x / multiple + 0.5) * multiple)
    return rounded + multiple if rounded < 0.9 * x else rounded


def _round(x: Number) -> Number:
    return math.floor(x + 0.5)  # halves are rounded up, as people are taught


_OF_ALL = "of its arguments, or of the items of one list"
FUNCTIONS = {
    "min": Function("x, ...", f"the least {_OF_ALL}", 1, None, lambda *xs: min(xs)),
    "max": Function("x, ...", f"the greatest {_OF_ALL}", 1, None, lambda *xs: max(xs)),
    "sum": Function("x, ...", f"the sum {_OF_ALL}", 1, None, lambda *xs: sum(xs)),
    "abs": Function("x", "a number without its sign", 1, 1, abs),
    "floor": Function("x", "the next integer below", 1, 1, math.floor),
    "ceil": Function("x", "the next integer above", 1, 1, math.ceil),
    "round": Function("x", "the nearest integer; halves are rounded up", 1, 1, _round),
    "sqrt": Function("x", "the square root", 1, 1, math.sqrt),
    "round_to": Function(
        "x, multiple", "the nearest multiple, at least one, and never less than 0.9 x", 2, 2, _round_to
    ),
    "len": Function("list", "the number of items of a list", 1, 1, None),
}
# Of the tensor that arrives at a stage.
FLOW_NAMES = {
    "in_channels": "channels of the current tensor; of a vector or of tokens the number of features",
    "height": "height of the current tensor",
    "width": "width of the current tensor",
    "length": "number of tokens of the current tensor",
}
# What an `assert` may name.
BUDGETS = {
    "params": "numbers in all weights of the network",
    "macs": "multiply-accumulates of convolutions, dense layers and attention, for one image",
}
