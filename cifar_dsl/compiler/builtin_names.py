"""What expressions have built in: operators, functions, properties of the current tensor and the dataset, budgets."""

import math
import operator
from collections.abc import Callable

from cifar_dsl.foundation.records import frozen

Number = int | float

ARITHMETIC: dict[str, Callable[[Number, Number], Number]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
ORDER: dict[str, Callable[[Number, Number], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@frozen
class Function:
    """A built-in function. `parameters` is its signature; `most` is None if it takes any number of arguments.

    `call` takes numbers; it is None for `len`, which takes a list.
    """

    parameters: str
    doc: str
    least: int
    most: int | None
    call: Callable[..., Number] | None


def _round_to(x: Number, multiple: Number) -> Number:
    """The nearest multiple of `multiple`, at least `multiple` and at least 0.9 x: widths of mobile networks.

    As in https://github.com/tensorflow/models/blob/master/research/slim/nets/mobilenet/mobilenet.py
    """
    rounded = max(multiple, math.floor(x / multiple + 0.5) * multiple)
    return rounded + multiple if rounded < 0.9 * x else rounded


def _round(x: Number) -> Number:
    return math.floor(x + 0.5)  # halves round up, unlike in Python


_OF_ALL = "of its arguments, or of the items of a single list"
FUNCTIONS = {
    "min": Function("x, ...", f"the smallest {_OF_ALL}", 1, None, lambda *xs: min(xs)),
    "max": Function("x, ...", f"the largest {_OF_ALL}", 1, None, lambda *xs: max(xs)),
    "sum": Function("x, ...", f"the sum {_OF_ALL}", 1, None, lambda *xs: sum(xs)),
    "abs": Function("x", "the absolute value", 1, 1, abs),
    "floor": Function("x", "the number rounded down to an integer", 1, 1, math.floor),
    "ceil": Function("x", "the number rounded up to an integer", 1, 1, math.ceil),
    "round": Function("x", "the nearest integer; halves round up", 1, 1, _round),
    "sqrt": Function("x", "the square root", 1, 1, math.sqrt),
    "round_to": Function(
        "x, multiple", "the nearest multiple of `multiple`, at least `multiple` and at least 0.9 x", 2, 2, _round_to
    ),
    "len": Function("list", "the number of items in a list", 1, 1, None),
}
# Properties of the tensor that enters a stage.
FLOW_NAMES = {
    "in_channels": "channels of the current tensor; for a vector or tokens, the number of features",
    "height": "height of the current tensor",
    "width": "width of the current tensor",
    "length": "number of tokens of the current tensor",
}
# Properties of the dataset. A definition in the spec takes precedence.
CLASSES = "classes"
DATA_NAMES = {CLASSES: "number of classes of the dataset"}
# Names for `assert`.
BUDGETS = {
    "params": "number of parameters of the network",
    "macs": "multiply-accumulates of convolutions, dense layers and attention, for one image",
}
