"""The arithmetic that convolutions and poolings share: a window that slides over an image."""

from cifar_dsl.ir import Shape
from cifar_dsl.operations.argument_types import Choice
from cifar_dsl.operations.layers.base import Layer
from cifar_dsl.operations.registry import MisfitError

Extents = tuple[int, int]
PAD_MODE = Choice(("zeros", "reflect", "replicate", "circular"))


def check_padding(layer: Layer, x: Shape, pad: Extents, mode: str) -> None:
    """Raise MisfitError where the image is too small to be continued beyond its border in this way."""
    for extent, added in zip(x.extents[1:], pad, strict=True):
        most = {"reflect": extent - 1, "circular": extent}.get(mode, added)
        if added > most:
            raise MisfitError(
                "E0304",
                f"{layer.name} can add at most {most} in mode `{mode}` to an image of {x}",
                argument="pad_mode",
                help=("use a smaller padding, or `pad_mode=zeros`",),
            )


def slide(
    layer: Layer,
    x: Shape,
    kernel: Extents,
    stride: Extents,
    pad: Extents,
    *,
    dilation: Extents = (1, 1),
    ceil: bool = False,
) -> Extents:
    """Height and width after a window has slid over `x`.

    out = floor((in + 2 pad - dilation (kernel - 1) - 1) / stride) + 1, as torch.nn.Conv2d and MaxPool2d
    define it. Raises MisfitError when the window is larger than the padded input.
    """
    return (
        _extent(layer, x, 0, kernel, stride, pad, dilation, ceil),
        _extent(layer, x, 1, kernel, stride, pad, dilation, ceil),
    )


def _extent(
    layer: Layer,
    x: Shape,
    axis: int,
    kernel: Extents,
    stride: Extents,
    pad: Extents,
    dilation: Extents,
    ceil: bool,
) -> int:
    extent = x.extents[1 + axis]
    window = dilation[axis] * (kernel[axis] - 1) + 1
    room = extent + 2 * pad[axis] - window
    steps = -(-room // stride[axis]) if ceil else room // stride[axis]
    if ceil and steps * stride[axis] >= extent + pad[axis]:
        steps -= 1  # torch drops a last window that would start in the padding
    if steps < 0:
        axis_name = ("height", "width")[axis]
        padded = f" (padded to {extent + 2 * pad[axis]})" if pad[axis] else ""
        raise MisfitError(
            "E0307",
            f"{layer.name}'s window is larger than its input",
            argument="kernel",
            label=f"{window} here, and the {axis_name} is {extent}{padded}",
            help=(f"use a kernel of at most {extent + 2 * pad[axis]}, or fewer poolings and strides before it",),
        )
    return steps + 1
