"""What a layer is: one frozen class that says its arguments, shapes, weights, cost and module."""

from typing import ClassVar

from cifar_dsl.ir import Call, Cost, Parameter, Shape
from cifar_dsl.registry import Declaration, MisfitError, Registry


class Layer(Declaration):
    """A stage of the language. Its fields are the arguments; `x` is the shape of its input."""

    is_positional: ClassVar[bool] = True

    def infer(self, x: Shape) -> Shape:
        """Shape of the output. Raises MisfitError where the input or an argument doesn't go with it."""
        return x

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        """The tensors that it owns, in the order of the module's `state_dict`."""
        return ()

    def macs(self, x: Shape, y: Shape) -> int:
        """Multiply-accumulates for one image; zero for all but convolutions and dense layers."""
        return 0

    def needs_batch(self, x: Shape) -> bool:
        """Whether training needs more than one image in a batch."""
        return False

    def activations(self, y: Shape) -> int:
        """Numbers that the output adds to what is kept for the backward pass."""
        return y.elements

    def emit(self, x: Shape) -> Call:
        """The module as data: the full name of a torch class, and its keyword arguments."""
        raise NotImplementedError(self.name, x)

    def cost(self, x: Shape, y: Shape) -> Cost:
        """Everything that it costs for one image."""
        trained = sum(p.elements for p in self.parameters(x) if not p.is_buffer)
        return Cost(trained, self.macs(x, y), self.activations(y))


class Join(Declaration):
    """A stage that makes one tensor of several branches."""

    def infer(self, *branches: Shape) -> Shape:
        """Shape of the output. Raises JoinError where two branches don't fit."""
        raise NotImplementedError(self.name, branches)

    def cost(self, y: Shape) -> Cost:
        """Everything that it costs for one image; `y` is the shape of its output."""
        return Cost(activations=y.elements)

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


def uniform(bound: float) -> Call:
    """Initial values drawn evenly from (-bound, bound)."""
    return Call("uniform", (("bound", bound),))


def constant(value: float) -> Call:
    """Initial values that are all the same."""
    return Call("constant", (("value", value),))


def require_image(layer: Layer, x: Shape) -> tuple[int, int, int]:
    """Channels, height and width of `x`. Raises MisfitError if it is not an image."""
    if len(x.extents) != 3:
        raise MisfitError(
            "E0306",
            f"{layer.name} works on images, not on a vector of features",
            help=(f"put {layer.name} before the stage that flattens the image",),
        )
    channels, height, width = x.extents
    return channels, height, width
