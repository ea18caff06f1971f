"""Layers that change the shape of their input, without weights."""

from collections.abc import Sequence
from math import isqrt
from typing import Self

from cifar_dsl.ir import Execution, Lowering, SavedTensors, Shape, argument, declared
from cifar_dsl.ir.execution import INPUT, NOTHING
from cifar_dsl.operations.argument_types import Choice, Int, ListOf, OneOf, Pair
from cifar_dsl.operations.layers.axes import axis_noun
from cifar_dsl.operations.layers.base import LAYERS, Layer, require_image, require_tokens
from cifar_dsl.operations.layers.divisible import check_divisible, check_tiles
from cifar_dsl.operations.layers.window import PAD_MODE, check_padding
from cifar_dsl.operations.registry import MisfitError

_GROUP = "Shapes and slices"


class _View(Layer):
    """A layer whose output is a view of its input."""

    execution = Execution(saves=NOTHING, views=True)


def _flatten_views(flatten: "Flatten", x: Shape) -> bool:
    return not x.is_image or x.elements in {x.channels, x.elements // x.channels}  # in the channels-last memory format


@LAYERS.register("flatten", _GROUP)
@declared
class Flatten(Layer):
    """Flatten to a vector of features: (C, H, W) -> (C * H * W,), (T, D) -> (T * D,)."""

    execution = Execution(saves=NOTHING, views=_flatten_views)

    def infer(self, x: Shape) -> Shape:
        return Shape((x.elements,))

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Flatten")


@LAYERS.register("identity", _GROUP)
@declared
class Identity(_View):
    """Return the input unchanged: the shortcut of a residual block."""

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Identity")


# ---- tokens


@LAYERS.register("tokens", _GROUP)
@declared
class Tokens(_View):
    """Turn the pixels of an image into tokens, row by row: (C, H, W) -> (H * W, C)."""

    def infer(self, x: Shape) -> Shape:
        channels, height, width = require_image(self, x)
        return Shape((height * width, channels))

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("tokens")


@LAYERS.register("grid", _GROUP)
@declared
class Grid(_View):
    """Turn tokens into the pixels of an image, row by row: (T, D) -> (D, H, W), T = H * W; undoes `tokens`."""

    size: tuple[int, int] | str = argument(
        OneOf((Choice(("square",)), Pair(1))),
        "height and width of the image; `square`: both sqrt(T)",
        default="square",
    )

    def infer(self, x: Shape) -> Shape:
        tokens, features = require_tokens(self, x)
        height, width = self._extents(x)
        if height * width != tokens:
            message = f"{tokens} tokens don't fill an image of {height}x{width}"
            if isinstance(self.size, str):
                message = f"{tokens} tokens don't fill a square"
            divisor = next(d for d in range(isqrt(tokens), 0, -1) if not tokens % d)
            help_text = f"set height and width, e.g. `grid({divisor}x{tokens // divisor})`"
            raise MisfitError("E0304", message, argument="size", help=(help_text,))
        return Shape((features, height, width))

    def lower(self, x: Shape) -> Lowering:
        height, width = self._extents(x)
        return Lowering.to("grid", height=height, width=width)

    def _extents(self, x: Shape) -> tuple[int, int]:
        side = isqrt(x.extents[0])
        return (side, side) if isinstance(self.size, str) else self.size


@LAYERS.register("transpose", _GROUP)
@declared
class Transpose(_View):
    """Swap tokens and features: (T, D) -> (D, T).

    As in the layers of MLP-Mixer, Tolstikhin et al. 2021, https://arxiv.org/abs/2105.01601.
    """

    def infer(self, x: Shape) -> Shape:
        tokens, features = require_tokens(self, x)
        return Shape((features, tokens))

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("transpose")


@LAYERS.register("token", _GROUP)
@declared
class Token(_View):
    """Select one token: (T, D) -> (D,)."""

    index: int = argument(Int(0), "index from 0; `class_token` inserts its token at 0")

    def infer(self, x: Shape) -> Shape:
        tokens, features = require_tokens(self, x)
        if self.index >= tokens:
            raise MisfitError(
                "E0304",
                f"index {self.index} is out of range for {tokens} tokens",
                argument="index",
                help=(f"use an index of at most {tokens - 1}",),
            )
        return Shape((features,))

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("token", index=self.index)


# ---- channels


_Indices = int | tuple[int, ...]


def _indices(low: int) -> OneOf:
    return OneOf((Int(low), ListOf(Int(low), most=lambda _: 3)))


@LAYERS.register("slice", _GROUP)
@declared
class Slice(_View):
    """Select the channels (or features) from `start` to `stop`, exclusive: (C, H, W) -> (stop - start, H, W).

    Of tokens, it selects features: (T, D) -> (T, stop - start). With lists, it selects from each axis in the order of
    the shape: `slice([0, 1, 1], [3, 8, 8], [1, 2, 2])`, written `identity[:3, 1:8:2, 1:8:2]`.
    """

    start: _Indices = argument(_indices(0), "first index, counted from 0; or one for each axis")
    stop: _Indices = argument(_indices(1), "end, exclusive; or one for each axis")
    step: _Indices = argument(_indices(1), "distance between indices; or one for each axis", default=1)

    @classmethod
    def of(cls, chosen: range) -> Self:
        """The slice of these channels or features."""
        return cls(start=chosen.start, stop=chosen.stop, step=chosen.step)

    @classmethod
    def of_axes(cls, chosen: Sequence[range], x: Shape) -> Self:
        """The slice of these indices of each axis of x; one of channels or features if the others are whole."""
        channels = 1 if x.is_tokens else 0
        others = (taken for axis, taken in enumerate(zip(chosen, x.extents, strict=True)) if axis != channels)
        if all(taken == range(extent) for taken, extent in others):
            return cls.of(chosen[channels])
        starts, stops, steps = zip(*((one.start, one.stop, one.step) for one in chosen), strict=True)
        return cls(start=starts, stop=stops, step=steps)

    def canonical(self) -> Self:
        stops = [taken[-1] + 1 for taken in self.chosen()]
        steps = tuple(taken.step if len(taken) > 1 else 1 for taken in self.chosen())
        if not self.has_axes:
            return self.changed(stop=stops[0], step=steps[0])
        return self.changed(stop=tuple(stops), step=1 if set(steps) == {1} else steps)

    def check(self) -> None:
        given = [value for value in (self.start, self.stop, self.step) if isinstance(value, tuple)]
        if given and len({len(value) for value in given}) > 1:
            message = "the lists of start, stop and step need one number for each axis"
            raise MisfitError("E0304", message, argument="stop")
        for taken in self.chosen():
            if not taken:
                raise MisfitError(
                    "E0304",
                    f"the slice from {taken.start} to {taken.stop} is empty",
                    argument="start",
                    help=(f"use a start of at most {taken.stop - 1}",),
                )

    def infer(self, x: Shape) -> Shape:
        chosen = self.chosen()
        if self.has_axes and len(chosen) != len(x.extents):
            message = f"this slice is for {len(chosen)} axes, and the input has {len(x.extents)}"
            raise MisfitError("E0304", message, argument="stop", help=("give one number for each axis",))
        extents = x.extents if self.has_axes else (x.channels,)
        for axis, (taken, extent) in enumerate(zip(chosen, extents, strict=True)):
            if taken.stop > extent:
                noun = axis_noun(x, axis) if self.has_axes else "channels" if x.is_image else "features"
                raise MisfitError(
                    "E0304",
                    f"the input has only {extent} {noun}",
                    argument="stop",
                    help=(f"use a stop of at most {extent}",),
                )
        if not self.has_axes:
            return _with_channels(x, len(chosen[0]))
        return Shape(tuple(map(len, chosen)))

    def lower(self, x: Shape) -> Lowering:
        if self.infer(x) == x:
            return Lowering.to("torch.nn.Identity")
        if not self.has_axes and self.step == 1:
            return Lowering.to("slice", dim=1 if x.is_image else -1, start=self.start, stop=self.stop)
        chosen = self.chosen()
        if not self.has_axes:
            chosen = [*map(range, x.extents[:-1]), *chosen] if x.is_tokens else [*chosen, *map(range, x.extents[1:])]
        return Lowering.to("places", chosen=tuple((one.start, one.stop, one.step) for one in chosen))

    @property
    def has_axes(self) -> bool:
        """Whether it selects from each axis."""
        return any(isinstance(value, tuple) for value in (self.start, self.stop, self.step))

    def chosen(self) -> list[range]:
        """The selected indices: of the channels or features, or of each axis."""
        values = (self.start, self.stop, self.step)
        count = max(len(value) if isinstance(value, tuple) else 1 for value in values)
        columns = (value if isinstance(value, tuple) else (value,) * count for value in values)
        return [range(*ends) for ends in zip(*columns, strict=True)]


@LAYERS.register("pad_channels", _GROUP)
@declared
class PadChannels(Layer):
    """Add channels (or features) of zeros: (C, H, W) -> (before + C + after, H, W).

    As in the shortcuts of option A in ResNet, He et al. 2015, https://arxiv.org/abs/1512.03385.
    """

    execution = Execution(saves=NOTHING)

    before: int = argument(Int(0), "channels added in front", default=0)
    after: int = argument(Int(0), "channels added at the end", default=0)

    def infer(self, x: Shape) -> Shape:
        return _with_channels(x, self.before + x.channels + self.after)

    def lower(self, x: Shape) -> Lowering:
        if x.is_image:  # torch sees a batch of volumes whose depth are the channels
            return Lowering.to("torch.nn.ZeroPad3d", padding=(0, 0, 0, 0, self.before, self.after))
        return Lowering.to("torch.nn.ZeroPad1d", padding=(self.before, self.after))


@LAYERS.register("shuffle", _GROUP)
@declared
class Shuffle(Layer):
    """Interleave groups of channels: channel j of group i moves to position j * groups + i; (C, H, W), unchanged.

    Zhang et al. 2017, https://arxiv.org/abs/1707.01083.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.ChannelShuffle.html
    """

    execution = Execution(saves=NOTHING)

    groups: int = argument(Int(1), "number of groups; must divide C")

    def infer(self, x: Shape) -> Shape:
        channels, _, _ = require_image(self, x)
        check_divisible(channels, "channels", self.groups, "groups")
        return x

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.ChannelShuffle", groups=self.groups)


def _with_channels(x: Shape, channels: int) -> Shape:
    return Shape((channels, *x.extents[1:]) if x.is_image else (*x.extents[:-1], channels))


# ---- height and width


_PAD_MODULES = {
    "zeros": "torch.nn.ZeroPad2d",
    "reflect": "torch.nn.ReflectionPad2d",
    "replicate": "torch.nn.ReplicationPad2d",
    "circular": "torch.nn.CircularPad2d",
}


def _pad_image_saves(pad_image: "PadImage", x: Shape, y: Shape) -> SavedTensors:
    return INPUT if pad_image.pad_mode in {"reflect", "replicate"} else NOTHING


@LAYERS.register("pad_image", _GROUP)
@declared
class PadImage(Layer):
    """Pad an image: (C, H, W) -> (C, top + H + bottom, left + W + right).

    Torch: https://docs.pytorch.org/docs/stable/nn.html#padding-layers
    """

    execution = Execution(saves=_pad_image_saves)

    pad: tuple[int, ...] = argument(
        OneOf((Pair(0), ListOf(Int(0, 10_000), 4))),
        "padding on each side, or [top, bottom, left, right]: `[0, 1, 0, 1]`",
    )
    pad_mode: str = argument(PAD_MODE, "content of the padding", default="zeros")

    def canonical(self) -> Self:
        top, bottom, left, right = self._sides()
        return self.changed(pad=(top, left)) if (top, left) == (bottom, right) else self

    def infer(self, x: Shape) -> Shape:
        channels, height, width = require_image(self, x)
        top, bottom, left, right = self._sides()
        check_padding(self, x, (max(top, bottom), max(left, right)), self.pad_mode)
        return Shape((channels, top + height + bottom, left + width + right))

    def lower(self, x: Shape) -> Lowering:
        top, bottom, left, right = self._sides()
        return Lowering.to(_PAD_MODULES[self.pad_mode], padding=(left, right, top, bottom))

    def _sides(self) -> tuple[int, ...]:
        if len(self.pad) == 4:
            return self.pad
        vertical, horizontal = self.pad
        return vertical, vertical, horizontal, horizontal


@LAYERS.register("upsample", _GROUP)
@declared
class Upsample(Layer):
    """Enlarge an image by an integer factor: (C, H, W) -> (C, factor * H, factor * W).

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Upsample.html
    """

    execution = Execution(saves=NOTHING)

    factor: tuple[int, int] = argument(Pair(1), "factor on height and width")
    mode: str = argument(Choice(("nearest", "bilinear")), "repeat or interpolate pixels", default="nearest")

    def infer(self, x: Shape) -> Shape:
        channels, height, width = require_image(self, x)
        return Shape((channels, self.factor[0] * height, self.factor[1] * width))

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Upsample", scale_factor=self.factor, mode=self.mode)


@LAYERS.register("pixel_shuffle", _GROUP)
@declared
class PixelShuffle(Layer):
    """Rearrange channels into pixels: (C, H, W) -> (C / factor^2, factor * H, factor * W).

    Shi et al. 2016, https://arxiv.org/abs/1609.05158.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelShuffle.html
    """

    execution = Execution(saves=NOTHING)

    factor: int = argument(Int(1, 10_000), "factor on height and width")

    def infer(self, x: Shape) -> Shape:
        channels, height, width = require_image(self, x)
        share = self.factor**2
        if channels % share:
            raise MisfitError(
                "E0302",
                "channels are not divisible by the square of the factor",
                argument="factor",
                label=f"{channels} % {share} = {channels % share}",
                help=(f"put `conv({-(-channels // share) * share}, 1)` before it, or use another factor",),
            )
        return Shape((channels // share, self.factor * height, self.factor * width))

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.PixelShuffle", upscale_factor=self.factor)


@LAYERS.register("pixel_unshuffle", _GROUP)
@declared
class PixelUnshuffle(Layer):
    """Rearrange pixels into channels: (C, H, W) -> (C * factor^2, H / factor, W / factor); undoes `pixel_shuffle`.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelUnshuffle.html
    """

    execution = Execution(saves=NOTHING)

    factor: int = argument(Int(1, 10_000), "divisor of height and width")

    def infer(self, x: Shape) -> Shape:
        channels, height, width = require_image(self, x)
        check_tiles(self, x, (self.factor, self.factor), "factor")
        return Shape((channels * self.factor**2, height // self.factor, width // self.factor))

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.PixelUnshuffle", downscale_factor=self.factor)
