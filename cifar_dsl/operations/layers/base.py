"""The bases of layers, joins and scopes, and the checks and tensors that several of them share."""

from math import prod
from typing import ClassVar

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Declaration, Operation, Parameter, Shape
from cifar_dsl.ir.pattern import Missing
from cifar_dsl.operations.argument_types import Choice
from cifar_dsl.operations.layers.initializer import INITIALIZERS, Initializer, Standard
from cifar_dsl.operations.layers.weight import Unchanged, WeightFunction
from cifar_dsl.operations.registry import CallOf, MisfitError, Registry


class Layer(Operation):
    """An operation with one input, of shape `x`; by default, the output has the same shape.

    A subclass declares its arguments as fields, sets `execution`, and overrides `lower` and other methods of
    `Operation`.
    """

    def infer(self, x: Shape) -> Shape:
        return x


@frozen
class Branches:
    """How many branches something takes: from `least` to `most`, None for any number. `names` says what each is."""

    least: int = 1
    most: int | None = None
    names: tuple[str, ...] = ()

    @classmethod
    def named(cls, *names: str) -> "Branches":
        """One branch for each name."""
        return cls(len(names), len(names), names)

    def fit(self, count: int) -> bool:
        """Whether this many branches are right."""
        return self.least <= count and (self.most is None or count <= self.most)

    def describe(self) -> str:
        """The number in words, and the names: "3 branches (queries, keys, values)"."""
        numbers = f"{self.least}"
        if self.most is None:
            numbers = f"at least {self.least}"
        elif self.most > self.least:
            numbers += f"{' or' if self.most == self.least + 1 else ' to'} {self.most}"
        noun = "branch" if numbers.endswith("1") else "branches"
        names = f" ({', '.join(self.names)})" if self.names else ""
        return f"{numbers} {noun}{names}"

    def example(self, head: str) -> str:
        """How the name or call `head` is written with its branches."""
        return f"{head} {{ {' | '.join(self.names or ('...',) * self.least)} }}"


class Join(Operation):
    """An operation that combines several branches into one tensor.

    Each branch sees the current tensor. A subclass declares its arguments as fields and how many `branches` it takes,
    sets `execution`, and overrides `infer`, `lower` and other methods of `Operation`, which get the shapes of the
    branches' outputs. `infer` raises JoinError if two of them don't fit. It owns no parameters: layers in branches do.
    """

    is_join: ClassVar[bool] = True
    family: ClassVar[str] = "join"
    branches: ClassVar[Branches] = Branches()
    is_reserved: ClassVar[bool] = False  # whether its name with branches means it also where a spec defines the name

    def stretched(self, *branches: Shape) -> tuple[int, ...]:
        """The indices of the branches whose extents of 1 stretch to those of the others."""
        return ()

    def infer(self, *branches: Shape) -> Shape:
        raise NotImplementedError(self.name, branches)


class Enclosure(Declaration):
    """A scope: it runs its branch on another form of the current tensor, and brings the output back.

    A subclass declares its arguments as fields. The graph holds a layer that `enter` makes, whose output the branch
    sees, the stages of the branch, and a layer that `leave` makes from the branch's output. So shapes, costs and torch
    modules are those of two layers, which need no entry in LAYERS; an error that one raises for an argument names an
    argument of the scope.
    """

    branches: ClassVar[Branches] = Branches(1, 1)
    runs_in_place: ClassVar[bool] = True  # `tied` runs where the name of its `let` stands
    is_positional: ClassVar[bool] = True
    missing_axes: ClassVar[Missing | None] = None  # None if its calls have no pattern

    def parts(self, x: Shape) -> int:
        """How many parts of a current tensor of shape `x` the branch runs for, as images of a larger batch."""
        return 1

    def enter(self, x: Shape) -> Layer:
        """The layer between the current tensor, of shape `x`, and the branch."""
        raise NotImplementedError(self.name, x)

    def leave(self, x: Shape) -> Layer:
        """The layer after the branch, for a current tensor of shape `x`."""
        raise NotImplementedError(self.name, x)


class JoinError(MisfitError):
    """Two branches whose shapes can't be joined; `first` and `second` are their indices, from 0."""

    def __init__(self, message: str, first: int, second: int, *, help: tuple[str, ...] = ()) -> None:  # noqa: A002
        super().__init__("E0308", message, help=help)
        self.branches = (first, second)


LAYERS: Registry[Layer] = Registry("layer")
JOINS: Registry[Join] = Registry("join")
SCOPES: Registry[Enclosure] = Registry("scope")


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
    function: WeightFunction = Unchanged(),  # noqa: B008  # it never changes
    rows: int = 0,
) -> tuple[Parameter, ...]:
    """The weight and the bias of a layer, from their shapes, and the tensors of the weight's function.

    `bias` is None for a layer without bias. `rows` is the number of outputs, if it isn't the weight's first extent.
    Raises MisfitError if a bias that doesn't exist is to be frozen, or initialiser or function don't fit the weight.
    """
    if frozen == "bias" and bias is None:
        raise no_bias_to_freeze(layer)
    tensors = [Parameter("weight", weight, init.fill(weight), kind, frozen in {"weight", "all"}, groups)]
    if bias is not None:
        # A bias has no fan-in: `standard` uses the weight's.
        fill = bias_init.fill(weight if isinstance(bias_init, Standard) else bias)
        tensors.append(Parameter("bias", bias, fill, "bias", frozen in {"bias", "all"}))
    rows = rows or weight[0]
    function.check_weight(rows, prod(weight) // rows, init)
    return (*tensors, *function.parameters(rows, prod(weight) // rows, is_frozen=tensors[0].is_frozen))


def no_bias_to_freeze(layer: Layer) -> MisfitError:
    """The error of `frozen=bias` on a layer without bias."""
    return MisfitError("E0304", f"`frozen=bias` needs a bias, but this `{layer.name}` has none", argument="frozen")


def require_image(layer: Operation | type[Enclosure], x: Shape) -> tuple[int, int, int]:
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
