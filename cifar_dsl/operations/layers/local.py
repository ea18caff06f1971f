"""Layers whose weights differ from place to place, and the windows that they multiply."""

from math import prod
from typing import Self

from cifar_dsl.ir import Execution, Lowering, Parameter, SavedTensors, Shape, argument, declared
from cifar_dsl.ir.execution import NOTHING
from cifar_dsl.operations.argument_types import Bool, Int, Pair
from cifar_dsl.operations.layers.base import (
    BIAS_INIT,
    FILTER_INIT,
    FROZEN,
    FROZEN_DOC,
    LAYERS,
    Layer,
    no_bias_to_freeze,
    require_image,
)
from cifar_dsl.operations.layers.initializer import Initializer, Standard
from cifar_dsl.operations.layers.window import SAME_OR_PAIR, same_padding, slide
from cifar_dsl.operations.registry import CallOf

_GROUP = "Convolutions"

# One filter for each place: initialisers of single elements fill them as the filters of a convolution.
_LOCAL_INIT = CallOf(
    FILTER_INIT.registry,
    tuple(name for name in FILTER_INIT.symbols() if name not in {"unit_variance", "orthogonal", "dirac", "whitening"}),
)


@LAYERS.register("unfold", _GROUP)
@declared
class Unfold(Layer):
    """The windows of an image as channels: (C, H, W) -> (C * kernel^2, H', W'), sizes as in `conv`.

    Channel c * kernel^2 + i holds pixel i of each window of channel c, row by row.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Unfold.html
    """

    execution = Execution(saves=NOTHING)

    kernel: tuple[int, int] = argument(Pair(1), "height and width of the window")
    stride: tuple[int, int] = argument(Pair(1), "stride of the window", default=(1, 1))
    pad: tuple[int, int] = argument(Pair(0), "padding on each side, with zeros", default=(0, 0))
    dilation: tuple[int, int] = argument(Pair(1), "distance between elements of the window", default=(1, 1))

    def infer(self, x: Shape) -> Shape:
        channels, _, _ = require_image(self, x)
        height, width = slide(self, x, self.kernel, self.stride, self.pad, dilation=self.dilation)
        return Shape((channels * prod(self.kernel), height, width))

    def lower(self, x: Shape) -> Lowering:
        _, height, width = self.infer(x).extents
        return Lowering.to(
            "unfold",
            kernel_size=self.kernel,
            stride=self.stride,
            padding=self.pad,
            dilation=self.dilation,
            size=(height, width),
        )


def _local_saves(local: "LocallyConnected", x: Shape, y: Shape) -> SavedTensors:
    # The unfolded windows of the input.
    return SavedTensors(numbers=0 if local.frozen in {"weight", "all"} else local.places(y) * local.window(x))


@LAYERS.register("locally_connected", _GROUP)
@declared
class LocallyConnected(Layer):
    """A convolution whose filters differ from place to place: (C, H, W) -> (channels, H', W'), sizes as in `conv`.

    The local layers of cuda-convnet, https://code.google.com/archive/p/cuda-convnet. It has H' * W' times the weights
    of `conv`, and as many multiplications. Each filter starts like one of a convolution.
    """

    family = "conv"
    execution = Execution(saves=_local_saves, autocasts=True, output_reusable=True)

    channels: int = argument(Int(1), "output channels")
    kernel: tuple[int, int] = argument(Pair(1), "height and width of the kernel")
    stride: tuple[int, int] = argument(Pair(1), "stride of the kernel", default=(1, 1))
    pad: tuple[int, int] | str = argument(
        SAME_OR_PAIR, "padding on each side; `same`: keep height and width at stride 1", default=(0, 0)
    )
    bias: bool = argument(Bool(), "add a learned bias to each output", default=True)
    init: Initializer = argument(_LOCAL_INIT, "initialiser of the weight", default=Standard())
    bias_init: Initializer = argument(BIAS_INIT, "initialiser of the bias", default=Standard())
    frozen: str = argument(FROZEN, FROZEN_DOC, default="none")

    def canonical(self) -> Self:
        return self.changed(pad=self.padding())

    def infer(self, x: Shape) -> Shape:
        require_image(self, x)
        height, width = slide(self, x, self.kernel, self.stride, self.padding())
        return Shape((self.channels, height, width))

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        if self.frozen == "bias" and not self.bias:
            raise no_bias_to_freeze(self)
        y = self.infer(x)
        one = (self.channels, x.channels, *self.kernel)  # the filters of one place
        weight = (self.places(y), self.channels, self.window(x))
        tensors = [Parameter("weight", weight, self.init.fill(one), "filter", self.frozen in {"weight", "all"})]
        if self.bias:
            fill = self.bias_init.fill(one if isinstance(self.bias_init, Standard) else y.extents)
            tensors.append(Parameter("bias", y.extents, fill, "bias", self.frozen in {"bias", "all"}))
        return tuple(tensors)

    def macs(self, x: Shape, y: Shape) -> int:
        return y.elements * self.window(x)

    def lower(self, x: Shape) -> Lowering:
        y = self.infer(x)
        return Lowering.to(
            "locally_connected",
            window=self.window(x),
            output=y.extents,
            kernel_size=self.kernel,
            stride=self.stride,
            padding=self.padding(),
            bias=self.bias,
        )

    def padding(self) -> tuple[int, int]:
        """Padding in rows and columns on each side. Raises MisfitError."""
        return same_padding(self.kernel) if isinstance(self.pad, str) else self.pad

    def window(self, x: Shape) -> int:
        """The number of inputs of each output."""
        return x.channels * prod(self.kernel)

    def places(self, y: Shape) -> int:
        """The number of places with filters of their own."""
        return prod(y.extents[1:])
