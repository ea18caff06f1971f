"""The two sorts of operations, layers and joins, and what several of them share."""

from typing import ClassVar

from cifar_dsl.ir import Operation, Parameter, Shape
from cifar_dsl.operations.argument_types import Choice
from cifar_dsl.operations.layers.initializer import INITIALIZERS, Initializer, Standard
from cifar_dsl.operations.registry import CallOf, MisfitError, Registry


class Layer(Operation):
    """An operation with one input, of shape `x`; by default the output has the same shape.

    A new one declares its arguments as fields, overrides what it needs of `Operation`, and states its `execution`.
    """

    def infer(self, x: Shape) -> Shape:
        return x


class Join(Operation):
    """An operation that makes one tensor of several branches; `infer` raises JoinError where two don't fit."""

    is_join: ClassVar[bool] = True
    family: ClassVar[str] = "join"

    def infer(self, *branches: Shape) -> Shape:
        raise NotImplementedError(self.name, branches)


class JoinError(MisfitError):
    """Two branches whose shapes can't be joined: `first` and `second` are their numbers, from 0."""

    def __init__(self, message: str, first: int, second: int, *, help: tuple[str, ...] = ()) -> None:  # noqa: A002
        super().__init__("E0308", message, help=help)
        self.first = first
        self.second = second


LAYERS: Registry[Layer] = Registry("layer")
JOINS: Registry[Join] = Registry("join")


BIAS_INIT = CallOf(INITIALIZERS, ("standard", "zeros", "ones", "constant", "normal", "truncated_normal", "uniform"))
FROZEN = Choice(("none", "weight", "bias", "all"))
FROZEN_DOC = "what keeps its first values throughout training"


def weight_and_bias(
    layer: Layer,
    weight: tuple[int, ...],
    bias: tuple[int, ...] | None,
    *,
    kind: str,
    init: Initializer,
    bias_init: Initializer,
    frozen: str,
) -> tuple[Parameter, ...]:
    """The two tensors that most layers own; `bias` None where there is none. Raises MisfitError."""
    if frozen == "bias" and bias is None:
        raise MisfitError("E0304", f"this {layer.name} has no bias to freeze", argument="frozen")
    found = [Parameter("weight", weight, init.fill(weight), kind, frozen in {"weight", "all"})]
    if bias is not None:
        # A bias has no fan of its own: `standard` takes the weight's.
        fill = bias_init.fill(weight if isinstance(bias_init, Standard) else bias)
        found.append(Parameter("bias", bias, fill, "bias", frozen in {"bias", "all"}))
    return tuple(found)


def require_image(layer: Layer, x: Shape) -> tuple[int, int, int]:
    """Channels, height and width of `x`. Raises MisfitError if it is not an image."""
    if not x.is_image:
        before = f"put {layer.name} before the stage that flattens the image"
        help_text = "make an image of them with `grid`" if x.is_tokens else before
        raise MisfitError("E0306", f"{layer.name} works on images, not on {noun(x)}", help=(help_text,))
    channels, height, width = x.extents
    return channels, height, width


def require_tokens(layer: Layer, x: Shape) -> tuple[int, int]:
    """How many tokens, and the features of each. Raises MisfitError if `x` is something else."""
    if not x.is_tokens:
        help_text = ("make tokens of the image with `patches` or `tokens`",) if x.is_image else ()
        raise MisfitError("E0306", f"{layer.name} works on tokens, not on {noun(x)}", help=help_text)
    tokens, features = x.extents
    return tokens, features


def noun(x: Shape) -> str:
    """What messages call a tensor of this shape."""
    if x.is_image:
        return "an image"
    return "tokens" if x.is_tokens else "a vector of features"
