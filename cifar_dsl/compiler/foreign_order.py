"""Shapes and arguments that are most likely in the order of another framework."""

from collections.abc import Sequence

from cifar_dsl.compiler import argument_translation
from cifar_dsl.compiler.bind import Invocation
from cifar_dsl.ir import Shape
from cifar_dsl.language.diagnostics import Advice
from cifar_dsl.operations.layers import Layer
from cifar_dsl.operations.layers.conv import Conv, ConvTranspose

_COLOURS = frozenset([1, 3, 4])  # grey, RGB, RGBA
_LEAST_SIDE = 16  # of images that are certainly no channels
_LEAST_CHANNELS = 8  # kernels of this size are rare, numbers of channels common
_WIDE = 16  # no kernel with another stride is this large
_KERNELS = frozenset([3, 5, 7, 9, 11])  # rare as strides


def channels_first(extents: Sequence[int]) -> Shape | None:
    """The shape that is meant if the extents are probably height, width and channels; None if they aren't."""
    if len(extents) != 3:
        return None
    height, width, channels = extents
    is_image = min(height, width) >= _LEAST_SIDE and (height == width or channels == 3)
    return Shape((channels, height, width)) if channels in _COLOURS and is_image else None


def torch_order(call: Invocation, made: Layer, x: Shape, *, fits: bool) -> Advice | None:
    """The advice for a `call`, which makes the layer `made` on `x`, whose arguments are most likely in torch's order.

    `fits`: whether the layer accepts its input. If it does, only numbers that hardly anybody means count.
    """
    positional = [argument for argument in call.arguments if argument.keyword is None]
    if not isinstance(made, Conv | ConvTranspose) or len(positional) < 3 or not x.is_image:
        return None
    kernel, stride = max(made.kernel), max(made.stride)
    if made.groups > 1 or not stride < kernel >= _LEAST_CHANNELS:
        return None
    if fits and (made.channels != x.channels or not (stride in _KERNELS or kernel >= _WIDE)):
        return None
    return argument_translation.advice([argument_translation.without_input(positional[0], call.text)], call.text)
