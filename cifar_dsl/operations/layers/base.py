"""The bases of layers and joins, and the checks and tensors that several of them share."""

from typing import ClassVar

from cifar_dsl.ir import Operation, Parameter, Shape
from cifar_dsl.operations.argument_types import Choice
from cifar_dsl.operations.layers.initializer import INITIALIZERS, Initializer, Standard
from cifar_dsl.operations.registry import CallOf, MisfitError, Registry


class Layer(Operation):
    """An operation with one input, of shape `x`; by default, the output has the same shape.

    A subclass declares its arguments as fields, sets `execution`, and overrides `lower` and other methods of
    `Operation`.
    """

    def infer(self, x: Shape) -> Shape:
        return x


class Join(Operation):
    """An operation that combines several branches into one tensor; `infer` raises JoinError if two don't fit."""

    is_join: ClassVar[bool] = True
    family: ClassVar[str] = "join"

    def infer(self, *branches: Shape) -> Shape:
        raise NotImplementedError(self.name, branches)


class JoinError(MisfitError):
    """Two branches whose shapes can't be joined; `first` and `second` are their indices, from 0."""

    def __init__(self, message: str, first: int, second: int, *, help: tuple[str, ...] = ()) -> None:  # noqa: A002
        super().__init__("E0308", message, help=help)
        self.branches = (first, second)


LAYERS: Registry[Layer] = Registry("layer")
JOINS: Registry[Join] = Registry("join")


FILTER_INIT = CallOf(INITIALIZERS, tuple(name for name in INITIALIZERS if name != "sine"))
EMBEDDING_INIT = CallOf(INITIALIZERS, ("zeros", "ones", "constant", "normal", "truncated_normal", "uniform", "sine"))
BIAS_INIT = CallOf(INITIALIZERS, ("standard", "zeros", "ones", "constant", "normal", "truncated_normal", "uniform"))
FROZEN = Choice(("none", "weight", "bias", "all"))
FROZEN_DOC = "parameters that aren't trained"


def weight_and_bias(
    layer: Layer,
    weight: tuple[int, ...],
    bias: tuple[int, ...] | None,
    *,
    kind: str,
    init: Initializer,
    bias_init: Initializer,
    frozen: str,
    groups: int = 1,
) -> tuple[Parameter, ...]:
    """The weight and the bias of a layer, from their shapes; `bias` is None for a layer without bias.

    Raises MisfitError if a bias that doesn't exist is to be frozen, or the initialiser doesn't fit the weight.
    """
    if frozen == "bias" and bias is None:
        raise no_bias_to_freeze(layer)
    tensors = [Parameter("weight", weight, init.fill(weight), kind, frozen in {"weight", "all"}, groups)]
    if bias is not None:
        # A bias has no fan-in: `standard` uses the weight's.
        fill = bias_init.fill(weight if isinstance(bias_init, Standard) else bias)
        tensors.append(Parameter("bias", bias, fill, "bias", frozen in {"bias", "all"}))
    return tuple(tensors)


def no_bias_to_freeze(layer: Layer) -> MisfitError:
    """The error of `frozen=bias` on a layer without bias."""
    return MisfitError("E0304", f"`frozen=bias` needs a bias, but this `{layer.name}` has none", argument="frozen")


def require_image(layer: Layer, x: Shape) -> tuple[int, int, int]:
    """Channels, height and width of an image (C, H, W). Raises MisfitError if `x` is something else."""
    if not x.is_image:
        before = f"put {layer.name} before the stage that flattens the image"
        help_text = "turn the tokens into an image with `grid`" if x.is_tokens else before
        raise MisfitError("E0306", f"{layer.name} works on images, not on {noun(x)}", help=(help_text,))
    channels, height, width = x.extents
    return channels, height, width


def require_tokens(layer: Layer, x: Shape) -> tuple[int, int]:
    """Number of tokens and of features, for tokens (T, D). Raises MisfitError if `x` is something else."""
    if not x.is_tokens:
        help_text = ("turn the image into tokens with `patches` or `tokens`",) if x.is_image else ()
        raise MisfitError("E0306", f"{layer.name} works on tokens, not on {noun(x)}", help=help_text)
    tokens, features = x.extents
    return tokens, features


def noun(x: Shape) -> str:
    """The words for a tensor of this shape in messages."""
    if x.is_image:
        return "an image"
    return "tokens" if x.is_tokens else "a vector of features"
