"""Convolutions."""

from math import gcd, prod
from typing import Self

from cifar_dsl.ir import Call, Parameter, Shape
from cifar_dsl.layers.base import LAYERS, Layer, require_image, uniform
from cifar_dsl.layers.window import slide
from cifar_dsl.registry import Bool, Choice, Int, MisfitError, OneOf, Pair, argument, declared


@LAYERS.register("conv")
@declared
class Conv(Layer):
    """2-D convolution: (C, H, W) -> (channels, H', W').

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html
    """

    channels: int = argument(Int(1), "output channels")
    kernel: tuple[int, int] = argument(Pair(1), "height and width of the window")
    stride: tuple[int, int] = argument(Pair(1), "step of the window", default=(1, 1))
    pad: tuple[int, int] | str = argument(
        OneOf((Choice(("same",)), Pair(0))),
        "zeros added on each side; `same` keeps height and width at stride 1",
        default=(0, 0),
    )
    dilation: tuple[int, int] = argument(Pair(1), "distance between taps of the window", default=(1, 1))
    groups: int = argument(Int(1), "parts that the channels are split into", default=1)
    bias: bool = argument(Bool(), "whether each output channel has an offset", default=True)

    def canonical(self) -> Self:
        return self.changed(pad=self._padding())

    def infer(self, x: Shape) -> Shape:
        in_channels, _, _ = require_image(self, x)
        for count, what in ((in_channels, "input"), (self.channels, "output")):
            if count % self.groups:
                common = gcd(in_channels, self.channels)
                usable = [str(d) for d in range(1, min(common, 1024) + 1) if not common % d]
                raise MisfitError(
                    "E0302",
                    f"{what} channels are not divisible by groups",
                    argument="groups",
                    label=f"{count} % {self.groups} = {count % self.groups}",
                    help=(f"use groups={', '.join(usable[:8])}",),
                )
        height, width = slide(self, x, self.kernel, self.stride, self._padding(), dilation=self.dilation)
        return Shape((self.channels, height, width))

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        shape = (self.channels, x.extents[0] // self.groups, *self.kernel)
        bound = prod(shape[1:]) ** -0.5  # torch's default: kaiming_uniform(a=sqrt(5)) on the fan-in
        weight = Parameter("weight", shape, uniform(bound))
        return (weight, Parameter("bias", (self.channels,), uniform(bound))) if self.bias else (weight,)

    def macs(self, x: Shape, y: Shape) -> int:
        return y.elements * (x.extents[0] // self.groups) * prod(self.kernel)

    def emit(self, x: Shape) -> Call:
        return Call(
            "torch.nn.Conv2d",
            (
                ("in_channels", x.extents[0]),
                ("out_channels", self.channels),
                ("kernel_size", self.kernel),
                ("stride", self.stride),
                ("padding", self._padding()),
                ("dilation", self.dilation),
                ("groups", self.groups),
                ("bias", self.bias),
            ),
        )

    def _padding(self) -> tuple[int, int]:
        if not isinstance(self.pad, str):
            return self.pad
        reach = [d * (k - 1) for d, k in zip(self.dilation, self.kernel, strict=True)]
        if reach[0] % 2 or reach[1] % 2:
            raise MisfitError(
                "E0304",
                "`same` needs a window with a middle",
                argument="pad",
                label=f"the window is {'x'.join(map(str, self.kernel))}",
                help=("use an odd kernel, or give the padding as a number",),
            )
        return reach[0] // 2, reach[1] // 2
