"""Convolutions."""

from math import prod
from typing import Self

from cifar_dsl.foundation.records import evolve
from cifar_dsl.ir import ComputedWeight, Execution, Lowering, Parameter, SavedTensors, Shape, argument, declared
from cifar_dsl.ir.execution import INPUT
from cifar_dsl.operations.argument_types import Bool, Int, Pair
from cifar_dsl.operations.layers.base import (
    BIAS_INIT,
    FILTER_INIT,
    FROZEN,
    FROZEN_DOC,
    LAYERS,
    Layer,
    require_image,
    weight_and_bias,
)
from cifar_dsl.operations.layers.divisible import check_divisible
from cifar_dsl.operations.layers.initializer import Dirac, Initializer, Standard, Whitening
from cifar_dsl.operations.layers.weight import WEIGHT, WEIGHT_DOC, Unchanged, WeightFunction
from cifar_dsl.operations.layers.window import PAD_MODE, SAME_OR_PAIR, check_padding, same_padding, slide
from cifar_dsl.operations.registry import MisfitError

_GROUP = "Convolutions"


class _Convolution(Layer):
    family = "conv"
    groups: int
    init: Initializer
    weight: WeightFunction

    def computed_weight(self, x: Shape) -> ComputedWeight:
        weight = self.parameters(x)[0]
        has_pixels = prod(weight.shape[2:]) > 1
        return self.weight.computed(weight.elements, copies=has_pixels, rearranges=has_pixels)

    @property
    def revision(self) -> int:
        # 1: `dirac` fills the filters of each group, not only of the first.
        return int(self.groups > 1 and isinstance(self.init, Dirac))


def _conv_saves(conv: "Conv", x: Shape, y: Shape) -> SavedTensors:
    """The padded input and, if the backward pass of the padding needs it, the input."""
    saved = _conv_saves_for_weights(conv, x, y)
    return evolve(saved, inputs=saved.inputs or conv.pad_mode != "circular")


def _conv_saves_for_weights(conv: "Conv", x: Shape, y: Shape) -> SavedTensors:
    if conv.pad_mode == "zeros":
        return INPUT
    return SavedTensors(
        numbers=x.channels * prod(e + 2 * pad for e, pad in zip(x.extents[1:], conv.padding(), strict=True))
    )


@LAYERS.register("conv", _GROUP)
@declared
class Conv(_Convolution):
    """2-D convolution: (C, H, W) -> (channels, H', W').

    H' = floor((H + 2 pad - dilation (kernel - 1) - 1) / stride) + 1.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html
    """

    execution = Execution(
        saves=_conv_saves, saves_for_weights=_conv_saves_for_weights, autocasts=True, output_reusable=True
    )

    channels: int = argument(Int(1), "output channels")
    kernel: tuple[int, int] = argument(Pair(1), "height and width of the kernel")
    stride: tuple[int, int] = argument(Pair(1), "stride of the kernel", default=(1, 1))
    pad: tuple[int, int] | str = argument(
        SAME_OR_PAIR,
        "padding on each side; `same`: keep height and width at stride 1",
        default=(0, 0),
    )
    dilation: tuple[int, int] = argument(Pair(1), "distance between kernel elements", default=(1, 1))
    groups: int = argument(Int(1), "number of groups; must divide the input and output channels", default=1)
    bias: bool = argument(Bool(), "add a learned bias to each output channel", default=True)
    pad_mode: str = argument(PAD_MODE, "content of the padding", default="zeros")
    init: Initializer = argument(FILTER_INIT, "initialiser of the weight", default=Standard())
    bias_init: Initializer = argument(BIAS_INIT, "initialiser of the bias", default=Standard())
    frozen: str = argument(FROZEN, FROZEN_DOC, default="none")
    weight: WeightFunction = argument(WEIGHT, WEIGHT_DOC, default=Unchanged())

    def canonical(self) -> Self:
        return self.changed(pad=self.padding())

    def infer(self, x: Shape) -> Shape:
        _check_groups(self, x, self.channels, self.groups)
        _check_initializer(self, x)
        check_padding(self, x, self.padding(), self.pad_mode)
        height, width = slide(self, x, self.kernel, self.stride, self.padding(), dilation=self.dilation)
        return Shape((self.channels, height, width))

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return weight_and_bias(
            self,
            (self.channels, x.channels // self.groups, *self.kernel),
            (self.channels,) if self.bias else None,
            kind="filter",
            init=self.init,
            bias_init=self.bias_init,
            frozen=self.frozen,
            groups=self.groups,
            function=self.weight,
            rows=self.channels,
        )

    def is_first(self) -> bool:
        return isinstance(self.init, Whitening)

    def macs(self, x: Shape, y: Shape) -> int:
        return y.elements * (x.channels // self.groups) * prod(self.kernel)

    def lower(self, x: Shape) -> Lowering:
        return self.weight.lower_layer(
            "torch.nn.Conv2d",
            "conv_of_weight",
            in_channels=x.channels,
            out_channels=self.channels,
            kernel_size=self.kernel,
            stride=self.stride,
            padding=self.padding(),
            dilation=self.dilation,
            groups=self.groups,
            bias=self.bias,
            padding_mode=self.pad_mode,
        )

    def padding(self) -> tuple[int, int]:
        """Padding in rows and columns on each side. Raises MisfitError if `same` needs a different one on two sides."""
        return same_padding(self.kernel, self.dilation) if isinstance(self.pad, str) else self.pad


def _check_groups(layer: Layer, x: Shape, channels: int, groups: int) -> None:
    in_channels, _, _ = require_image(layer, x)
    check_divisible(in_channels, "input channels", groups, "groups", channels)
    check_divisible(channels, "output channels", groups, "groups", in_channels)


def _check_initializer(layer: Conv, x: Shape) -> None:
    """Raise MisfitError if the number of filters or groups doesn't fit `init=whitening`."""
    if not isinstance(layer.init, Whitening):
        return
    most = 2 * prod((x.channels, *layer.kernel))
    if layer.channels % 2 or layer.channels > most or layer.groups > 1:
        raise MisfitError(
            "E0304",
            f"whitening needs one group and an even number of channels, at most {most} here",
            argument="init",
            help=(f"use {most} channels or a smaller even number, and groups=1",),
        )


@LAYERS.register("conv_transpose", _GROUP)
@declared
class ConvTranspose(_Convolution):
    """Transposed 2-D convolution: (C, H, W) -> (channels, H', W').

    H' = (H - 1) stride - 2 pad + dilation (kernel - 1) + output_pad + 1.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html
    """

    execution = Execution(saves=INPUT, autocasts=True, output_reusable=True)

    channels: int = argument(Int(1), "output channels")
    kernel: tuple[int, int] = argument(Pair(1), "height and width of the kernel")
    stride: tuple[int, int] = argument(Pair(1), "stride in the output", default=(1, 1))
    pad: tuple[int, int] = argument(Pair(0), "rows and columns removed on each side of the output", default=(0, 0))
    output_pad: tuple[int, int] = argument(Pair(0), "rows added at the bottom and columns on the right", default=(0, 0))
    dilation: tuple[int, int] = argument(Pair(1), "distance between kernel elements", default=(1, 1))
    groups: int = argument(Int(1), "number of groups; must divide the input and output channels", default=1)
    bias: bool = argument(Bool(), "add a learned bias to each output channel", default=True)
    init: Initializer = argument(FILTER_INIT, "initialiser of the weight", default=Standard())
    bias_init: Initializer = argument(BIAS_INIT, "initialiser of the bias", default=Standard())
    frozen: str = argument(FROZEN, FROZEN_DOC, default="none")
    weight: WeightFunction = argument(WEIGHT, WEIGHT_DOC, default=Unchanged())

    def check(self) -> None:
        if isinstance(self.init, Whitening):
            raise MisfitError("E0304", f"`init=whitening` doesn't work for {self.name}", argument="init")
        for added, stride, dilation in zip(self.output_pad, self.stride, self.dilation, strict=True):
            if added >= max(stride, dilation):
                raise MisfitError(
                    "E0304",
                    "`output_pad` must be smaller than the stride or the dilation",
                    argument="output_pad",
                    help=("leave it out, or use a larger stride",),
                )

    def infer(self, x: Shape) -> Shape:
        _check_groups(self, x, self.channels, self.groups)
        extents = [
            (extent - 1) * stride - 2 * pad + dilation * (kernel - 1) + added + 1
            for extent, stride, pad, dilation, kernel, added in zip(
                x.extents[1:], self.stride, self.pad, self.dilation, self.kernel, self.output_pad, strict=True
            )
        ]
        if min(extents) < 1:
            raise MisfitError("E0307", "the output is empty", argument="pad", help=("use a smaller padding",))
        return Shape((self.channels, *extents))

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return weight_and_bias(
            self,
            (x.channels, self.channels // self.groups, *self.kernel),
            (self.channels,) if self.bias else None,
            kind="filter",
            init=self.init,
            bias_init=self.bias_init,
            frozen=self.frozen,
            groups=self.groups,
            function=self.weight,
            rows=self.channels,
        )

    def computed_weight(self, x: Shape) -> ComputedWeight:
        # The rows of one group are a view, whose layout only a normalization of rows changes.
        copies = self.groups > 1
        return self.weight.computed(
            self.parameters(x)[0].elements, copies=copies, rearranges=copies or self.weight.centers
        )

    def macs(self, x: Shape, y: Shape) -> int:
        return x.elements * (self.channels // self.groups) * prod(self.kernel)

    def lower(self, x: Shape) -> Lowering:
        return self.weight.lower_layer(
            "torch.nn.ConvTranspose2d",
            "conv_transpose_of_weight",
            in_channels=x.channels,
            out_channels=self.channels,
            kernel_size=self.kernel,
            stride=self.stride,
            padding=self.pad,
            output_padding=self.output_pad,
            dilation=self.dilation,
            groups=self.groups,
            bias=self.bias,
        )
