"""Shapes and arguments that are most likely in the order of another framework."""

from collections.abc import Sequence

from cifar_dsl.compiler.bind import Invocation
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Declaration, Shape, arguments_of
from cifar_dsl.language.diagnostics import Edit, Fix
from cifar_dsl.language.source import Span

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


@frozen
class TorchOrder:
    """A call with input channels, output channels and kernel: `surplus` is the first argument, with its comma."""

    call: Span
    surplus: Span
    order: tuple[str, ...]  # of the positional arguments here

    @property
    def meant(self) -> str:
        """The call without the input channels."""
        start, text = self.call.start, self.call.text
        return text[: self.surplus.start - start] + text[self.surplus.end - start :]

    @property
    def help(self) -> str:
        """What to write."""
        return f"the order is {', '.join(self.order)}, without the input's channels: write `{self.meant}`"

    @property
    def fix(self) -> Fix:
        """Deletes the input channels."""
        return Fix(f"write `{self.meant}`", (Edit(self.surplus, ""),))


def torch_order(call: Invocation, made: Declaration, x: Shape, *, fits: bool) -> TorchOrder | None:
    """The order of the arguments of `call`, which makes the layer `made` on `x`, if it is most likely torch's.

    `fits`: whether the layer accepts its input. If it does, only numbers that hardly anybody means count.
    """
    order = tuple(info.name for info in arguments_of(type(made)))[:3]
    positional = [argument for argument in call.arguments if argument.keyword is None]
    if order != ("channels", "kernel", "stride") or len(positional) < len(order) or not x.is_image:
        return None
    # As given: a layer that is refused may have no canonical form.
    values = {info.name: getattr(made, info.name) for info in arguments_of(type(made))}
    kernel, stride = max(values["kernel"]), max(values["stride"])
    if values["groups"] > 1 or not stride < kernel >= _LEAST_CHANNELS:
        return None
    if fits and (values["channels"] != x.channels or not (stride in _KERNELS or kernel >= _WIDE)):
        return None
    first, second = positional[0].span, positional[1].span
    return TorchOrder(call.span, Span(first.source, first.start, second.start), order)
