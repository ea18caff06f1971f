"""Output sizes of convolutions and pooling: a window that slides over an image."""

from cifar_dsl.ir import Shape
from cifar_dsl.operations.argument_types import Choice, OneOf, Pair
from cifar_dsl.operations.layers.base import Layer
from cifar_dsl.operations.registry import MisfitError

Extents = tuple[int, int]
PAD_MODE = Choice(("zeros", "reflect", "replicate", "circular"))
SAME_OR_PAIR = OneOf((Choice(("same",)), Pair(0)))


def same_padding(kernel: Extents, dilation: Extents = (1, 1)) -> Extents:
    """The padding on each side that keeps height and width at stride 1.

    Raises MisfitError if two sides would need different ones.
    """
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if reach[0] % 2 or reach[1] % 2:
        raise MisfitError(
            "E0304",
            "`pad=same` needs an odd kernel",
            argument="kernel",
            label=f"the kernel is {'x'.join(map(str, kernel))}",
            help=("use an odd kernel, or give the padding as a number, e.g. `pad=1`",),
        )
    return reach[0] // 2, reach[1] // 2


def check_padding(layer: Layer, x: Shape, pad: Extents, mode: str) -> None:
    """Raise MisfitError if the image is too small for this padding in this mode."""
    for extent, added in zip(x.extents[1:], pad, strict=True):
        most = {"reflect": extent - 1, "circular": extent}.get(mode, added)
        if added > most:
            raise MisfitError(
                "E0304",
                f"{layer.name} can pad an image of {x} by at most {most} in mode `{mode}`",
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
    """Height and width of the output of a sliding window over an image (C, H, W).

    out = floor((in + 2 pad - dilation (kernel - 1) - 1) / stride) + 1, as in torch.nn.Conv2d and MaxPool2d.
    Raises MisfitError if the window is larger than the padded input.
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
    span = dilation[axis] * (kernel[axis] - 1) + 1
    room = extent + 2 * pad[axis] - span
    steps = -(-room // stride[axis]) if ceil else room // stride[axis]
    if ceil and steps * stride[axis] >= extent + pad[axis]:
        steps -= 1  # torch drops a last window that would start in the padding
    if steps < 0:
        axis_name = ("height", "width")[axis]
        padded = f" (padded to {extent + 2 * pad[axis]})" if pad[axis] else ""
        raise MisfitError(
            "E0307",
            f"the kernel of {layer.name} is larger than its input",
            argument="kernel",
            label=f"the kernel spans {span}, the {axis_name} is {extent}{padded}",
            help=(f"use a kernel of at most {extent + 2 * pad[axis]}, or downsample less before it",),
        )
    return steps + 1
