"""Scopes whose body runs for each part of a tensor, and the products of branches that a pattern describes."""

from itertools import pairwise
from math import prod

from cifar_dsl.foundation.records import evolve
from cifar_dsl.foundation.text import alternatives
from cifar_dsl.ir import Execution, Lowering, Pattern, Shape, argument, declared
from cifar_dsl.ir.execution import INPUT, NOTHING
from cifar_dsl.operations.argument_types import Axes, Pair
from cifar_dsl.operations.layers.base import JOINS, LAYERS, SCOPES, Branches, Enclosure, Join, Layer, require_image
from cifar_dsl.operations.layers.divisible import check_tiles
from cifar_dsl.operations.registry import MisfitError

_GROUP = "Tokens and attention"

_PATTERN = Axes()
_PATTERN_DOC = "the axes of the input, an arrow, the axes of the output, and extents such as `a=2`"


def _enter_is_view(layer: "EachPart", x: Shape) -> bool:
    # The parts are merged with the batch, which is possible without a copy only if they are the outermost axes.
    pattern = layer.pattern
    axes = [number for number in pattern.axes_of(0) if pattern.extents[number] > 1]
    order = [number for number in (*pattern.missing, *pattern.kept) if pattern.extents[number] > 1]
    return not x.is_image and axes == order


@declared
class EachPart(Layer):
    """The parts of a tensor, as more images of the batch: a layer of the graph, not of the language."""

    name = "each_part"
    execution = Execution(saves=NOTHING, views=_enter_is_view)

    pattern: Pattern = argument(_PATTERN, _PATTERN_DOC)

    def brief(self) -> str:
        return Each(pattern=self.pattern).brief()

    def infer(self, x: Shape) -> Shape:
        return self.pattern.shape

    def lower(self, x: Shape) -> Lowering:
        pattern, axes = self.pattern, self.pattern.axes_of(0)
        return Lowering.to(
            "each_part",
            pattern=pattern.axes_text,
            split=pattern.extents_of(axes),
            order=(0, *(1 + axes.index(number) for number in (*pattern.missing, *pattern.kept))),
            shape=pattern.shape.extents,
        )


def _leave_is_view(layer: "PutBack", x: Shape) -> bool:
    # The parts are the outermost axes in memory, in their order, then those of a part.
    if x.is_image and 1 < x.channels < x.elements:
        return False
    pattern = layer.with_parts(x)
    order = [number for number in (*pattern.missing, *pattern.kept) if pattern.extents[number] > 1]
    sides = ([number for number in side if pattern.extents[number] > 1] for side in pattern.inputs[0])
    return all(order.index(inner) == order.index(outer) + 1 for side in sides for outer, inner in pairwise(side))


@declared
class PutBack(Layer):
    """The parts of a tensor in their places: a layer of the graph, not of the language."""

    name = "put_back"
    execution = Execution(saves=NOTHING, views=_leave_is_view)

    pattern: Pattern = argument(_PATTERN, _PATTERN_DOC)

    def brief(self) -> str:
        return "end of each"

    def infer(self, x: Shape) -> Shape:
        return self.with_parts(x).shapes[0]

    def lower(self, x: Shape) -> Lowering:
        pattern = self.with_parts(x)
        axes = (*pattern.missing, *pattern.kept)
        return Lowering.to(
            "put_back",
            split=pattern.extents_of(axes),
            order=(0, *(1 + axes.index(number) for number in pattern.axes_of(0))),
            shape=pattern.shapes[0].extents,
        )

    def with_parts(self, x: Shape) -> Pattern:
        """The pattern with the extents that the body gives; only axes by themselves may change theirs."""
        pattern = self.pattern
        if len(x.extents) != len(pattern.output):
            given = f"{x.extents[0]} features" if len(x.extents) == 1 else f"{x}"
            raise MisfitError(
                "E0314",
                f"the body gives {given}, and the pattern has {_axes(len(pattern.output))} on its right",
                argument="pattern",
                help=("keep the axes: `identity[:1, :]` instead of `token(0)`",),
            )
        extents = list(pattern.extents)
        for side, extent, before in zip(pattern.output, x.extents, pattern.shape.extents, strict=True):
            if len(side) == 1:
                extents[side[0]] = extent
            elif extent != before:
                raise MisfitError(
                    "E0314",
                    f"the body gives {x}, not {pattern.shape}: only an axis by itself can change its extent",
                    argument="pattern",
                    help=(f"end the body with an extent of {before} there",),
                )
        return evolve(pattern, extents=tuple(extents))


def _axes(count: int) -> str:
    return "1 axis" if count == 1 else f"{count} axes"


@SCOPES.register("each")
@declared
class Each(Enclosure):
    """Run the body for each place along the axes that are missing on the right: it gets a part with the axes there.

    Its output is put back where the part was; an axis by itself may change its extent. `each(c, h, w -> w, c) {
    attention(4) }` attends within each row. Batch norm and `drop_path` see each part as an image.
    """

    missing_axes = "left out"

    pattern: Pattern = argument(_PATTERN, _PATTERN_DOC)

    def parts(self, x: Shape) -> int:
        return prod(self.pattern.extents_of(self.pattern.missing))

    def enter(self, x: Shape) -> Layer:
        return EachPart(pattern=self.pattern)

    def leave(self, x: Shape) -> Layer:
        return PutBack(pattern=self.pattern)


def _windows_are_view(layer: "WindowsEnter", x: Shape) -> bool:
    # The pixels of a window stand side by side in an image with its channels last.
    return not any(layer.shift) and (layer.size[0] == 1 or layer.size[1] == x.extents[2])


def _image_is_view(layer: "WindowsLeave", x: Shape) -> bool:
    return not any(layer.shift) and (layer.size[0] == 1 or layer.size[1] == layer.image[1])


@declared
class WindowsEnter(Layer):
    """The windows of an image as tokens: a layer of the graph, not of the language."""

    name = "into_windows"
    execution = Execution(saves=NOTHING, views=_windows_are_view)

    size: tuple[int, int] = argument(Pair(1), "height and width of a window")
    shift: tuple[int, int] = argument(Pair(0), "rows and columns", default=(0, 0))

    def brief(self) -> str:
        return Windows(size=self.size, shift=self.shift).brief()

    def infer(self, x: Shape) -> Shape:
        channels, height, width = require_image(Windows, x)
        if height % self.size[0] or width % self.size[1]:
            common = [side for side in range(1, min(height, width) + 1) if not (height % side or width % side)]
            raise MisfitError(
                "E0304",
                f"{height}x{width} can't be tiled by windows of {self.size[0]}x{self.size[1]}",
                argument="size",
                help=(f"use {alternatives([*map(str, common[:8])])}, or `pad_image` first",),
            )
        if self.shift[0] >= self.size[0] or self.shift[1] >= self.size[1]:
            raise MisfitError(
                "E0304",
                "the shift of windows must be smaller than their size",
                argument="shift",
                help=(f"use half of the size: `shift={self.size[0] // 2}`",),
            )
        return Shape((prod(self.size), channels))

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("into_windows", image=x.extents[1:], size=self.size, shift=self.shift)


@declared
class WindowsLeave(Layer):
    """Windows in their places in an image: a layer of the graph, not of the language."""

    name = "from_windows"
    execution = Execution(saves=NOTHING, views=_image_is_view)

    size: tuple[int, int] = argument(Pair(1), "height and width of a window")
    shift: tuple[int, int] = argument(Pair(0), "rows and columns", default=(0, 0))
    image: tuple[int, int] = argument(Pair(1), "height and width of the image", default=(1, 1))

    def brief(self) -> str:
        return "end of windows"

    def infer(self, x: Shape) -> Shape:
        if not x.is_tokens or x.extents[0] != prod(self.size):
            raise MisfitError(
                "E0314",
                f"the body of `windows` gives {x}, and not the {prod(self.size)} tokens of a window",
                help=("keep the number of tokens; only their features can change",),
            )
        return Shape((x.extents[1], *self.image))

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("from_windows", image=self.image, size=self.size, shift=self.shift)


@SCOPES.register("windows")
@declared
class Windows(Enclosure):
    """Run the body on the tokens of each window of an image: (C, H, W), to the body (size * size, C).

    `windows(4)` is `each(c, y * a, x * b -> a * b, c, a=4, b=4)`. With a shift, the image is rolled by so much before,
    and back afterwards; `attend` and `attention` in the body then connect only pixels that are neighbours in the image.
    As in Swin, Liu et al. 2021, https://arxiv.org/abs/2103.14030.
    """

    size: tuple[int, int] = argument(Pair(1), "height and width of a window; must divide those of the image")
    shift: tuple[int, int] = argument(Pair(0), "rows and columns by which the windows are shifted", default=(0, 0))

    def parts(self, x: Shape) -> int:
        return x.elements // x.channels // prod(self.size) if x.is_image else 1

    def enter(self, x: Shape) -> Layer:
        return WindowsEnter(size=self.size, shift=self.shift)

    def leave(self, x: Shape) -> Layer:
        return WindowsLeave(size=self.size, shift=self.shift, image=(x.extents[1], x.extents[2]))


@LAYERS.register("window_mask", _GROUP)
@declared
class WindowMask(Layer):
    """Subtract 100 from scores (heads, T, T) of pixels that are no neighbours, in the body of shifted `windows`.

    `attend` and `attention` do this themselves; attention that is written with `einsum` needs it before the softmax.
    """

    execution = Execution(saves=NOTHING)

    image: tuple[int, int] = argument(Pair(1), "height and width of the image")
    size: tuple[int, int] = argument(Pair(1), "height and width of a window")
    shift: tuple[int, int] = argument(Pair(0), "rows and columns")

    def infer(self, x: Shape) -> Shape:
        _, queries, keys = require_image(self, x)
        check_tiles(self, Shape((1, *self.image)), self.size, "size")
        if not queries == keys == prod(self.size):
            raise MisfitError(
                "E0304",
                f"scores of {queries} queries and {keys} keys aren't those of the {prod(self.size)} tokens of a window",
                help=("let queries and keys be the tokens of the window, or don't shift the windows",),
            )
        return x

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("window_mask", image=self.image, size=self.size, shift=self.shift)


def _sums(einsum: "Einsum") -> bool:
    # Torch multiplies elementwise if nothing is summed, and doesn't convert the inputs of such a product.
    return prod(einsum.pattern.extents_of(einsum.pattern.missing)) > 1


@JOINS.register("einsum")
@declared
class Einsum(Join):
    """Multiply branches, and sum over the axes that are missing on the right: `einsum(t, d | s, d -> t, s) { q | k }`.

    Each branch has its axes; those of one name have one extent. An axis that vanishes is in two branches at least.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.einsum.html
    """

    missing_axes = "multiplied"
    branches = Branches(2, 3)
    execution = Execution(saves=INPUT, autocasts=_sums)

    pattern: Pattern = argument(_PATTERN, _PATTERN_DOC)

    def infer(self, *branches: Shape) -> Shape:
        if self.pattern.shapes != branches:
            raise MisfitError("E0315", f"the pattern is that of {' and '.join(map(str, self.pattern.shapes))}")
        return self.pattern.shape

    def macs(self, *shapes: Shape) -> int:
        return prod(self.pattern.extents)

    def lower(self, *branches: Shape) -> Lowering:
        pattern = self.pattern
        sides = [pattern.axes_of(place) for place in range(len(pattern.inputs))]
        names = ["z" + "".join(chr(ord("a") + number) for number in side) for side in (*sides, pattern.kept)]
        return Lowering.to(
            "einsum",
            pattern=pattern.axes_text,
            formula=f"{','.join(names[:-1])}->{names[-1]}",
            splits=tuple(map(pattern.extents_of, sides)),
            shape=pattern.shape.extents,
        )
