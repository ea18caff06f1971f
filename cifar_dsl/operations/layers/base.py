"""What a layer is: one frozen class that says its arguments, shapes, weights, cost and module."""

from typing import ClassVar

from cifar_dsl.ir import Call, Cost, Parameter, Shape
from cifar_dsl.operations.argument_types import Choice
from cifar_dsl.operations.layers.initializer import INITIALIZERS, Initializer, Standard
from cifar_dsl.operations.layers.saved_tensors import NOTHING, Kept
from cifar_dsl.operations.registry import CallOf, Declaration, MisfitError, Registry


class Layer(Declaration):
    """A stage of the language. Its fields are the arguments; `x` is the shape of its input."""

    is_positional: ClassVar[bool] = True
    takes_half: ClassVar[bool] = False  # where the recipe's precision is bf16 or fp16, inputs are converted
    float32_on: ClassVar[frozenset[str]] = frozenset()  # devices on which its inputs are converted back
    gives: ClassVar[str] = "computed"  # the precision of its output: what it computes with, "input" or "float32"
    can_overwrite: ClassVar[bool] = False  # its module can be told `inplace=True`
    lets_output_go: ClassVar[bool] = False  # its backward pass doesn't need its output, which others may overwrite

    def infer(self, x: Shape) -> Shape:
        """Shape of the output. Raises MisfitError where the input or an argument doesn't go with it."""
        return x

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        """The tensors that it owns, in the order of the module's `state_dict`."""
        return ()

    def macs(self, x: Shape, y: Shape) -> int:
        """Multiply-accumulates for one image; zero for all but convolutions, dense layers and attention."""
        return 0

    def needs_batch(self, x: Shape) -> bool:
        """Whether training needs more than one image in a batch."""
        return False

    def is_first(self) -> bool:
        """Whether it must be what the network's input arrives at first."""
        return False

    @property
    def is_random(self) -> bool:
        """Whether it draws from torch's generator while training."""
        return False

    def unseen(self, x: Shape) -> tuple[int, int]:
        """How many rows at the bottom and columns at the right of its input have no part in the output."""
        return 0, 0

    def kept(self, x: Shape, y: Shape) -> Kept:
        """What autograd keeps for its backward pass, of one image, as torch computes on a CPU."""
        raise NotImplementedError(self.name, x, y)

    def is_view(self, x: Shape) -> bool:
        """Whether its output lies in the memory of its input."""
        return False

    def emit(self, x: Shape) -> Call:
        """The module as data: the full name of a torch class, and its keyword arguments."""
        raise NotImplementedError(self.name, x)

    def cost(self, x: Shape, y: Shape) -> Cost:
        """Everything that it costs for one image."""
        trained = sum(p.elements for p in self.parameters(x) if not p.is_buffer)
        return Cost(trained, self.macs(x, y))


class Join(Declaration):
    """A stage that makes one tensor of several branches.

    Where it `passes_gradients`, the gradients of the branches lie in the memory of the output's.
    """

    passes_gradients: ClassVar[bool] = False
    lets_output_go: ClassVar[bool] = False  # as of a layer

    def infer(self, *branches: Shape) -> Shape:
        """Shape of the output. Raises JoinError where two branches don't fit."""
        raise NotImplementedError(self.name, branches)

    def kept(self, branches: tuple[Shape, ...], y: Shape) -> Kept:
        """What autograd keeps for its backward pass, of one image."""
        return NOTHING

    def is_view(self, branches: tuple[Shape, ...]) -> bool:
        """Whether its output lies in the memory of its first branch."""
        return False

    def emit(self) -> Call:
        """The joining function as data; it takes the list of the branches' tensors."""
        raise NotImplementedError(self.name)


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
