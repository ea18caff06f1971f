"""Pooling: the maximum, mean or norm of each window of an image."""

from typing import Self

from cifar_dsl.ir import Execution, Lowering, SavedTensors, Shape, argument, declared
from cifar_dsl.ir.execution import INDEX_BYTES, INPUT, NOTHING
from cifar_dsl.operations.argument_types import Bool, Choice, Float, OneOf, Pair
from cifar_dsl.operations.layers.base import LAYERS, Layer, noun, require_image
from cifar_dsl.operations.layers.window import slide
from cifar_dsl.operations.registry import MisfitError

_GROUP = "Pooling and patterns"

_STRIDE = OneOf((Choice(("kernel",)), Pair(1)))


class _Pool(Layer):
    family = "pool"
    kernel: tuple[int, int]
    stride: tuple[int, int] | str
    pad: tuple[int, int] = (0, 0)
    ceil: bool

    def infer(self, x: Shape) -> Shape:
        channels, _, _ = require_image(self, x)
        if any(2 * pad > kernel for pad, kernel in zip(self.pad, self.kernel, strict=True)):
            raise MisfitError(
                "E0304",
                f"the padding of {self.name} is more than half of its kernel",
                argument="pad",
                label=f"the kernel is {'x'.join(map(str, self.kernel))}",
                help=(f"use a padding of at most {'x'.join(str(extent // 2) for extent in self.kernel)}",),
            )
        height, width = slide(self, x, self.kernel, self._steps(), self.pad, ceil=self.ceil)
        return Shape((channels, height, width))

    def dropped_border(self, x: Shape) -> tuple[int, int]:
        if self.ceil:
            return 0, 0
        sides = zip(x.extents[1:], self.kernel, self._steps(), self.pad, strict=True)
        rows, columns = (max(0, (extent + 2 * pad - kernel) % step - pad) for extent, kernel, step, pad in sides)
        return rows, columns

    def canonical(self) -> Self:
        return self.changed(stride="kernel") if self.stride == self.kernel else self

    def _steps(self) -> tuple[int, int]:
        return self.kernel if isinstance(self.stride, str) else self.stride


def _input_and_indices(layer: Layer, x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(inputs=True, fixed_bytes=INDEX_BYTES * y.elements)


@LAYERS.register("maxpool", _GROUP)
@declared
class MaxPool(_Pool):
    """The maximum of each window: (C, H, W) -> (C, H', W'), H' = floor((H + 2 pad - kernel) / stride) + 1.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
    """

    execution = Execution(saves=_input_and_indices)
    takes_maxima = True

    kernel: tuple[int, int] = argument(Pair(1), "height and width of the kernel")
    stride: tuple[int, int] | str = argument(
        _STRIDE, "stride of the kernel; `kernel`: equal to the kernel", default="kernel"
    )
    pad: tuple[int, int] = argument(Pair(0), "padding on each side, with -inf", default=(0, 0))
    ceil: bool = argument(Bool(), "count a last, incomplete window (H' rounds up)", default=False)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to(
            "torch.nn.MaxPool2d", kernel_size=self.kernel, stride=self._steps(), padding=self.pad, ceil_mode=self.ceil
        )


@LAYERS.register("avgpool", _GROUP)
@declared
class AvgPool(_Pool):
    """The mean of each window: (C, H, W) -> (C, H', W'), H' = floor((H + 2 pad - kernel) / stride) + 1.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html
    """

    execution = Execution(saves=INPUT)

    kernel: tuple[int, int] = argument(Pair(1), "height and width of the kernel")
    stride: tuple[int, int] | str = argument(
        _STRIDE, "stride of the kernel; `kernel`: equal to the kernel", default="kernel"
    )
    pad: tuple[int, int] = argument(Pair(0), "padding on each side, with zeros", default=(0, 0))
    ceil: bool = argument(Bool(), "count a last, incomplete window (H' rounds up)", default=False)
    count_pad: bool = argument(Bool(), "count the zeros of the padding in the mean", default=True)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to(
            "torch.nn.AvgPool2d",
            kernel_size=self.kernel,
            stride=self._steps(),
            padding=self.pad,
            ceil_mode=self.ceil,
            count_include_pad=self.count_pad,
        )


def _drawn_saves(layer: Layer, x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(inputs=True, output=True, fixed_bytes=INDEX_BYTES * y.elements)


@LAYERS.register("stochastic_pool", _GROUP)
@declared
class StochasticPool(_Pool):
    """A random element of each window, the larger the likelier: (C, H, W) -> (C, H', W'); Zeiler and Fergus 2013.

    https://arxiv.org/abs/1301.3557. In training, an element is drawn with a probability that is its share of the
    window's sum; in tests, the output is the mean of the window, weighted with these probabilities. It follows `relu`:
    negative elements count as 0, and a window without positive ones gives 0.
    H' = floor((H + 2 pad - kernel) / stride) + 1.
    """

    execution = Execution(saves=_drawn_saves)

    kernel: tuple[int, int] = argument(Pair(1), "height and width of the kernel")
    stride: tuple[int, int] | str = argument(
        _STRIDE, "stride of the kernel; `kernel`: equal to the kernel", default="kernel"
    )
    pad: tuple[int, int] = argument(Pair(0), "padding on each side, with zeros, which are never drawn", default=(0, 0))
    ceil: bool = argument(Bool(), "count a last, incomplete window (H' rounds up)", default=False)

    @property
    def is_random(self) -> bool:
        return True

    def lower(self, x: Shape) -> Lowering:
        sides = zip(x.extents[1:], self.infer(x).extents[1:], self.kernel, self._steps(), self.pad, strict=True)
        before_after = [
            (pad, max(0, (windows - 1) * step + kernel - extent - pad)) for extent, windows, kernel, step, pad in sides
        ]
        return Lowering.to(
            "stochastic_pool",
            kernel_size=self.kernel,
            stride=self._steps(),
            padding=before_after[1] + before_after[0],
        )


def _lp_pool_saves(lp_pool: "LpPool", x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(inputs=True, numbers=2 * x.elements + 4 * y.elements)  # absolute values, powers ...


@LAYERS.register("lppool", _GROUP)
@declared
class LpPool(_Pool):
    """The p-norm of each window: (C, H, W) -> (C, H', W'), H' = floor((H - kernel) / stride) + 1.

    Like https://docs.pytorch.org/docs/stable/generated/torch.nn.LPPool2d.html, on absolute values. The sum over
    an incomplete window is scaled up to a complete one.
    """

    execution = Execution(saves=_lp_pool_saves)

    p: float = argument(Float(1, 16, whole=True), "exponent; 1: sum, 2: Euclidean norm")
    kernel: tuple[int, int] = argument(Pair(1), "height and width of the kernel")
    stride: tuple[int, int] | str = argument(
        _STRIDE, "stride of the kernel; `kernel`: equal to the kernel", default="kernel"
    )
    ceil: bool = argument(Bool(), "count a last, incomplete window (H' rounds up)", default=False)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to(
            "lppool", norm_type=self.p, kernel_size=self.kernel, stride=self._steps(), ceil_mode=self.ceil
        )


class _AdaptivePool(Layer):
    family = "pool"
    size: tuple[int, int]

    def infer(self, x: Shape) -> Shape:
        channels, _, _ = require_image(self, x)
        return Shape((channels, *self.size))


def _adaptive_avg_pool_saves(adaptive_avg_pool: "AdaptiveAvgPool", x: Shape, y: Shape) -> SavedTensors:
    return NOTHING if adaptive_avg_pool.size == (1, 1) else INPUT  # torch computes a plain mean


@LAYERS.register("adaptive_avgpool", _GROUP)
@declared
class AdaptiveAvgPool(_AdaptivePool):
    """The mean of each cell of a grid on the image: (C, H, W) -> (C, *size).

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html
    """

    execution = Execution(saves=_adaptive_avg_pool_saves)

    size: tuple[int, int] = argument(Pair(1), "height and width of the output")

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.AdaptiveAvgPool2d", output_size=self.size)


@LAYERS.register("adaptive_maxpool", _GROUP)
@declared
class AdaptiveMaxPool(_AdaptivePool):
    """The maximum of each cell of a grid on the image: (C, H, W) -> (C, *size).

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool2d.html
    """

    execution = Execution(saves=_input_and_indices)
    takes_maxima = True

    size: tuple[int, int] = argument(Pair(1), "height and width of the output")

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.AdaptiveMaxPool2d", output_size=self.size)


_KEEP_DOC = "keep the pooled axes with extent 1: (C, 1, 1), (1, D)"


class _GlobalPool(Layer):
    family = "pool"
    keep: bool

    def infer(self, x: Shape) -> Shape:
        if x.is_image:
            return Shape((x.channels, 1, 1) if self.keep else (x.channels,))
        if x.is_tokens:
            return Shape((1, x.channels) if self.keep else (x.channels,))
        raise MisfitError(
            "E0306",
            f"{self.name} works on images and tokens, not on {noun(x)}",
            help=(f"put {self.name} before the stage that flattens the image",),
        )


def _pooled_axes(x: Shape) -> tuple[int, ...]:
    """The axes of a batch that a pooling of the whole removes."""
    return (2, 3) if x.is_image else (1,)


@LAYERS.register("global_avgpool", _GROUP)
@declared
class GlobalAvgPool(_GlobalPool):
    """The mean of each channel over the whole image, or of each feature over all tokens.

    (C, H, W) -> (C,), (T, D) -> (D,); Lin et al. 2013, https://arxiv.org/abs/1312.4400.
    """

    execution = Execution(saves=NOTHING)

    keep: bool = argument(Bool(), _KEEP_DOC, default=False)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("global_avgpool", dim=_pooled_axes(x), keep=self.keep)


@LAYERS.register("global_maxpool", _GROUP)
@declared
class GlobalMaxPool(_GlobalPool):
    """The maximum of each channel over the whole image, or of each feature over all tokens.

    (C, H, W) -> (C,), (T, D) -> (D,); as in the channel attention of CBAM, Woo et al. 2018,
    https://arxiv.org/abs/1807.06521.
    """

    execution = Execution(saves=SavedTensors(inputs=True, output=True))

    keep: bool = argument(Bool(), _KEEP_DOC, default=False)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("global_maxpool", dim=_pooled_axes(x), keep=self.keep)


def _blur_pool_saves(blur_pool: "BlurPool", x: Shape, y: Shape) -> SavedTensors:
    channels, height, width = x.extents
    padded, blurred = (height + 2) * (width + 2), (height + 1) * (width + 1)
    return SavedTensors(inputs=True, numbers=channels * (padded + blurred))


@LAYERS.register("blurpool", _GROUP)
@declared
class BlurPool(Layer):
    """Blur each channel with the filter [1, 2, 1] x [1, 2, 1] / 16, then subsample: (C, H, W) -> (C, H', W').

    H' = floor((H - 1) / stride) + 1, with a reflected border of one pixel;
    Zhang 2019, https://arxiv.org/abs/1904.11486.
    """

    family = "pool"
    execution = Execution(saves=_blur_pool_saves, float32_on=frozenset({"cpu"}))

    stride: tuple[int, int] = argument(Pair(1), "stride of the filter", default=(2, 2))

    def infer(self, x: Shape) -> Shape:
        channels, height, width = require_image(self, x)
        if min(height, width) < 2:
            raise MisfitError(
                "E0307",
                f"an image of {x} is too small for {self.name}",
                help=("put it where height and width are at least 2",),
            )
        return Shape((channels, *((e - 1) // s + 1 for e, s in zip((height, width), self.stride, strict=True))))

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("blurpool", stride=self.stride)
