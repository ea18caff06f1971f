"""Pooling: one number for a window of numbers, without weights."""

from typing import Self

from cifar_dsl.ir import Call, Shape
from cifar_dsl.layers.base import LAYERS, Layer, require_image
from cifar_dsl.layers.window import slide
from cifar_dsl.registry import Bool, Choice, MisfitError, OneOf, Pair, argument, declared

_STRIDE = OneOf((Choice(("kernel",)), Pair(1)))


class _Pool(Layer):
    kernel: tuple[int, int]
    stride: tuple[int, int] | str
    pad: tuple[int, int]
    ceil: bool

    def infer(self, x: Shape) -> Shape:
        channels, _, _ = require_image(self, x)
        if any(2 * pad > kernel for pad, kernel in zip(self.pad, self.kernel, strict=True)):
            raise MisfitError(
                "E0304",
                f"{self.name}'s padding is more than half of its window",
                argument="pad",
                label=f"the window is {'x'.join(map(str, self.kernel))}",
                help=("a window that lies in the padding alone would have nothing to pool",),
            )
        height, width = slide(self, x, self.kernel, self._steps(), self.pad, ceil=self.ceil)
        return Shape((channels, height, width))

    def canonical(self) -> Self:
        return self.changed(stride="kernel") if self.stride == self.kernel else self

    def _steps(self) -> tuple[int, int]:
        return self.kernel if isinstance(self.stride, str) else self.stride


@LAYERS.register("maxpool")
@declared
class MaxPool(_Pool):
    """The largest number of each window: (C, H, W) -> (C, H', W').

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
    """

    kernel: tuple[int, int] = argument(Pair(1), "height and width of the window")
    stride: tuple[int, int] | str = argument(_STRIDE, "step of the window; `kernel`: as large as it", default="kernel")
    pad: tuple[int, int] = argument(Pair(0), "border added on each side; never the largest", default=(0, 0))
    ceil: bool = argument(Bool(), "whether a last, incomplete window counts", default=False)

    def emit(self, x: Shape) -> Call:
        return Call(
            "torch.nn.MaxPool2d",
            (
                ("kernel_size", self.kernel),
                ("stride", self._steps()),
                ("padding", self.pad),
                ("ceil_mode", self.ceil),
            ),
        )


@LAYERS.register("avgpool")
@declared
class AvgPool(_Pool):
    """The mean of each window: (C, H, W) -> (C, H', W').

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html
    """

    kernel: tuple[int, int] = argument(Pair(1), "height and width of the window")
    stride: tuple[int, int] | str = argument(_STRIDE, "step of the window; `kernel`: as large as it", default="kernel")
    pad: tuple[int, int] = argument(Pair(0), "zeros added on each side", default=(0, 0))
    ceil: bool = argument(Bool(), "whether a last, incomplete window counts", default=False)
    count_pad: bool = argument(Bool(), "whether the padding's zeros count in the mean", default=True)

    def emit(self, x: Shape) -> Call:
        return Call(
            "torch.nn.AvgPool2d",
            (
                ("kernel_size", self.kernel),
                ("stride", self._steps()),
                ("padding", self.pad),
                ("ceil_mode", self.ceil),
                ("count_include_pad", self.count_pad),
            ),
        )


@LAYERS.register("global_avgpool")
@declared
class GlobalAvgPool(Layer):
    """The mean of each channel over the whole image: (C, H, W) -> (C,)."""

    def infer(self, x: Shape) -> Shape:
        channels, _, _ = require_image(self, x)
        return Shape((channels,))

    def emit(self, x: Shape) -> Call:
        return Call("cifar_dsl.backends.modules.GlobalAvgPool")
