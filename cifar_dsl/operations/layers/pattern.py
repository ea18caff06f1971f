"""Layers that a pattern describes: `rearrange`, and the `mean`, `max` and `sum` of axes."""

from itertools import pairwise
from math import prod

from cifar_dsl.ir import Execution, Lowering, Pattern, SavedTensors, Shape, argument, declared
from cifar_dsl.ir.execution import NOTHING
from cifar_dsl.operations.argument_types import Axes
from cifar_dsl.operations.layers.base import LAYERS, Layer
from cifar_dsl.operations.registry import MisfitError

_GROUP = "Pooling and patterns"


@declared
class OfPattern(Layer):
    """A layer whose input and output are described by its pattern."""

    pattern: Pattern = argument(
        Axes(), "the axes of the input, an arrow, the axes of the output, and extents such as `a=2`"
    )

    def infer(self, x: Shape) -> Shape:
        if self.pattern.shapes != (x,):
            raise MisfitError("E0314", f"the pattern is that of {self.pattern.shapes[0]}", argument="pattern")
        return self.pattern.shape

    def lower(self, x: Shape) -> Lowering:
        pattern = self.pattern
        left = [number for number in pattern.axes_of(0) if number in pattern.kept]
        return Lowering.to(
            self.name,
            pattern=pattern.axes_text,
            **self._split(left),
            order=(0, *(1 + left.index(number) for number in pattern.kept)),
            shape=pattern.shape.extents,
        )

    def _split(self, left: list[int]) -> dict[str, tuple[int, ...]]:
        """The arguments that say how the input is split, where the axes `left` are left; the others have extent 1."""
        return {"split": self.pattern.extents_of(tuple(left))}


def moves(pattern: Pattern, x: Shape) -> bool:
    """Whether the axes of the output need other memory than those of the input, an image with its channels last."""
    strides: dict[int, int] = {}
    for side, stride in zip(pattern.inputs[0], _strides(x), strict=True):
        for place, number in enumerate(side):
            strides[number] = stride * prod(pattern.extents_of(side[place + 1 :]))
    sides = ([number for number in side if pattern.extents[number] > 1] for side in pattern.output)
    pairs = (pair for side in sides for pair in pairwise(side))
    return any(strides[outer] != strides[inner] * pattern.extents[inner] for outer, inner in pairs)


def _strides(x: Shape) -> tuple[int, ...]:
    if x.is_image:
        channels, _, width = x.extents
        return 1, width * channels, channels
    return (x.extents[1], 1) if x.is_tokens else (1,)


def _is_view(rearrange: "Rearrange", x: Shape) -> bool:
    return not moves(rearrange.pattern, x)


@LAYERS.register("rearrange", _GROUP)
@declared
class Rearrange(OfPattern):
    """Split, merge and move axes: `rearrange(c, h * 2, w * 2 -> c * 2 * 2, h, w)` is `pixel_unshuffle(2)`.

    Every axis on the left is also on the right; only an axis of extent 1 can come and go.
    """

    missing_axes = "refused"
    execution = Execution(saves=NOTHING, views=_is_view)


class _Reduction(OfPattern):
    family = "pool"
    missing_axes = "left out"

    def _split(self, left: list[int]) -> dict[str, tuple[int, ...]]:
        axes = self.pattern.axes_of(0)
        over = tuple(1 + axes.index(number) for number in self.pattern.missing)
        return {"split": self.pattern.extents_of(axes), "over": over}


@LAYERS.register("mean", _GROUP)
@declared
class Mean(_Reduction):
    """The mean over the axes that are missing on the right: `mean(c, h, w -> 1, h, w)` is the mean of all channels.

    `global_avgpool` is `mean(c, h, w -> c)`.
    """

    execution = Execution(saves=NOTHING)


def _max_saves(layer: "Max", x: Shape, y: Shape) -> SavedTensors:
    if not layer.pattern.missing:
        return NOTHING
    is_output = _keeps_order(layer.pattern)
    return SavedTensors(inputs=True, output=is_output, numbers=0 if is_output else y.elements)


def _keeps_order(pattern: Pattern) -> bool:
    """Whether the output has the axes of the input in their order, one by one, so that it's computed as it is."""
    return all(len(side) < 2 for side in pattern.output) and list(pattern.kept) == sorted(pattern.kept)


@LAYERS.register("max", _GROUP)
@declared
class Max(_Reduction):
    """The largest number along the axes that are missing on the right: `max(c * 2, h, w -> c, h, w)` is maxout.

    Goodfellow et al. 2013, https://arxiv.org/abs/1302.4389. `global_maxpool` is `max(c, h, w -> c)`.
    Without an arrow, `max(a, b)` is the larger of two numbers.
    """

    execution = Execution(saves=_max_saves)


@LAYERS.register("sum", _GROUP)
@declared
class Sum(_Reduction):
    """The sum over the axes that are missing on the right: `sum(c, h, w -> c, 1, 1)` adds the pixels of each channel.

    Without an arrow, `sum(a, b)` is the sum of numbers.
    """

    execution = Execution(saves=NOTHING, float32_on=frozenset({"cuda"}))
