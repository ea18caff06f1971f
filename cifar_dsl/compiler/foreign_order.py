"""Shapes and arguments that are most likely in the order of another framework."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from cifar_dsl.compiler import argument_translation
from cifar_dsl.compiler.argument_translation import Change
from cifar_dsl.compiler.invocation import Evaluates, Invocation
from cifar_dsl.compiler.values import Bound, Flow, Tensor, ValueScope
from cifar_dsl.ir import Shape, arguments_of
from cifar_dsl.language.diagnostics import Advice, EvaluationFailed
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.argument_types import UnfitError
from cifar_dsl.operations.layers import LAYERS, Layer
from cifar_dsl.operations.layers.conv import Conv, ConvTranspose
from cifar_dsl.operations.registry import MisfitError

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


def channels_advice(call: Invocation, scope: ValueScope, flow: Flow | None, evaluator: Evaluates) -> Advice | None:
    """The advice for a refused call that is valid without the input's channels."""
    change = input_channels(call, scope, flow, evaluator)
    return argument_translation.advice([change], call.text) if change else None


def input_channels(call: Invocation, scope: ValueScope, flow: Flow | None, evaluator: Evaluates) -> Change | None:
    """The change of a refused call of a layer that is valid without the input's channels: `conv(3, 8, 3)`."""
    given = argument_translation.input_argument(call.callee, call.arguments)
    if given is None or not isinstance(flow, Tensor) or flow.shape is None:
        return None
    rest = tuple(one for one in call.arguments if one is not given)
    try:
        values = {one.span: evaluator.evaluate(one.value, scope, flow) for one in call.arguments}
    except EvaluationFailed:
        return None
    value = values[given.span]
    is_input = value == flow.shape.channels and not isinstance(value, bool)
    is_dense = call.callee == "dense" and len(rest) == 1 and values[rest[0].span] not in {0, 1}
    if not (is_input or is_dense) or not _is_valid(LAYERS[call.callee], rest, values, flow.shape):
        return None
    return argument_translation.without_input(given, call.text)


def _is_valid(layer: type[Layer], arguments: Sequence[nodes.Argument], values: Mapping[Span, Bound], x: Shape) -> bool:
    """Whether a layer accepts these arguments and an input of shape `x`."""
    infos = arguments_of(layer)
    names = [one.keyword.text if one.keyword else info.name for one, info in zip(arguments, infos, strict=False)]
    kinds = {info.name: info.kind for info in infos}
    if len(arguments) > len(infos) or not kinds.keys() >= set(names):
        return False
    try:
        made = layer(
            **{
                name: kinds[name].accept(cast("Any", values[one.span]))
                for name, one in zip(names, arguments, strict=True)
            }
        )
        made.check()
        made.infer(x)
    except (UnfitError, MisfitError, TypeError):
        return False
    return True
