"""Operations: what a node of the graph computes, owns and costs."""

from collections.abc import Iterable
from math import prod
from typing import Any, ClassVar

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir.declaration import Declaration
from cifar_dsl.ir.execution import ComputedWeight, Execution
from cifar_dsl.ir.lowering import Lowering
from cifar_dsl.ir.pattern import Missing
from cifar_dsl.ir.shape import Shape
from cifar_dsl.ir.values import Call


@frozen
class Parameter:
    """A tensor that an operation owns: a trained parameter, or a buffer such as a running mean.

    Attributes:
        name: Its name in the module's `state_dict`.
        shape: Its shape.
        initial: How it is initialised, as a call: uniform(bound), constant(value) ...
        kind: filter, matrix, bias, scale, embedding or buffer; a group in `train` selects parameters by kind.
        is_frozen: Whether it keeps its initial values.
        groups: How many groups of a convolution share its first dimension evenly.
    """

    name: str
    shape: tuple[int, ...]
    initial: Call
    kind: str
    is_frozen: bool = False
    groups: int = 1

    @property
    def is_buffer(self) -> bool:
        """Whether it is a buffer: saved with the parameters and never trained."""
        return self.kind == "buffer"

    @property
    def is_trained(self) -> bool:
        """Whether the optimizer updates it."""
        return not (self.is_frozen or self.is_buffer)

    @property
    def elements(self) -> int:
        """The number of elements."""
        return prod(self.shape)


@frozen
class Cost:
    """The cost of a graph or a part of it for one image; memory is estimated in `analysis`.

    Attributes:
        parameters: The number of parameters, frozen ones included.
        macs: The multiply-accumulates of convolutions, dense layers and attention.
    """

    parameters: int = 0
    macs: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.parameters + other.parameters, self.macs + other.macs)


class Operation(Declaration):
    """A layer or a join: its arguments, and what follows from them and the shapes of the inputs.

    A layer has one input, a join one or more. Shapes leave out the batch. For example:

    >>> from cifar_dsl.operations.layers.conv import Conv
    >>> conv, x = Conv(channels=8, kernel=(3, 3)), Shape((3, 32, 32))
    >>> y = conv.infer(x)
    >>> str(y)
    '8x30x30'
    >>> [(parameter.name, parameter.shape) for parameter in conv.parameters(x)]
    [('weight', (8, 3, 3, 3)), ('bias', (8,))]
    >>> conv.cost(x, y)  # 8 * 30 * 30 outputs, 3 * 3 * 3 products each
    Cost(parameters=224, macs=194400)
    >>> conv.lower(x).target, conv.lower(x).keywords()["in_channels"]
    ('torch.nn.Conv2d', 3)

    `family` decides its colour in pictures. `execution` is read by the memory estimate and the module builder only.
    """

    # Layers override these methods with a single input `x`, which mypy allows if the base accepts any arguments.

    is_positional: ClassVar[bool] = True
    is_join: ClassVar[bool] = False
    is_norm: ClassVar[bool] = False  # whether it normalises; `select norm` in a group of `train` matches its parameters
    is_idempotent: ClassVar[bool] = False  # whether it leaves its own outputs as they are, as `relu` does
    # Whether applying it after a maximum gives the same as before, as for `relu`: numbers and gradients bit for bit,
    # apart from the sign of a zero. It leaves each number as it is or sets it to a bound, where the gradient is 0.
    commutes_with_max: ClassVar[bool] = False
    takes_maxima: ClassVar[bool] = False  # whether each number of the output is the maximum of a window of the input
    missing_axes: ClassVar[Missing | None] = None  # None if its calls have no pattern
    takes_only_batch: ClassVar[bool] = False  # whether it uses nothing of its input but the number of images
    family: ClassVar[str] = "other"
    execution: ClassVar[Execution]

    def infer(self, *inputs: Any, **_: Any) -> Shape:
        """Shape of the output. Raises MisfitError if the inputs and arguments don't fit each other."""
        raise NotImplementedError(self.name, inputs)

    def parameters(self, *inputs: Any, **_: Any) -> tuple[Parameter, ...]:  # noqa: ARG002
        """The tensors that it owns, in the order of the module's `state_dict`. Raises MisfitError like `infer`."""
        return ()

    def macs(self, *shapes: Any, **_: Any) -> int:  # noqa: ARG002
        """Multiply-accumulates for one image, given the shapes of the inputs and the output."""
        return 0

    def cost(self, *shapes: Any, **_: Any) -> Cost:
        """Parameters and multiply-accumulates for one image, given the shapes of the inputs and the output."""
        return self.cost_with(self.parameters(*shapes[:-1]), *shapes)

    def cost_with(self, parameters: Iterable[Parameter], *shapes: Any) -> Cost:
        """The cost with these `parameters`, which are those for the shapes of the inputs."""
        return Cost(sum(one.elements for one in parameters if one.kind != "buffer"), self.macs(*shapes))

    def lower(self, *inputs: Any, **_: Any) -> Lowering:
        """The torch module, as data. The module of a join accepts its inputs as positional arguments."""
        raise NotImplementedError(self.name, inputs)

    def computed_weight(self, *inputs: Any, **_: Any) -> ComputedWeight:  # noqa: ARG002
        """The memory for what it computes from its weight before it uses it."""
        return ComputedWeight()

    def needs_batch(self, *inputs: Any, **_: Any) -> bool:  # noqa: ARG002
        """Whether training requires more than one image per batch."""
        return False

    def dropped_border(self, *inputs: Any, **_: Any) -> tuple[int, int]:  # noqa: ARG002
        """How many rows at the bottom and columns on the right of the input don't affect the output."""
        return 0, 0

    def is_first(self) -> bool:
        """Whether it must be the network's first layer."""
        return False

    @property
    def revision(self) -> int:
        """How often what it computes with its arguments has changed; see `fingerprint`."""
        return 0

    @property
    def is_random(self) -> bool:
        """Whether it uses torch's random generator in training."""
        return False

    @property
    def scheduled_drop(self) -> float:
        """The probability of dropping that the recipe's `drop_schedule` scales; 0 without one."""
        return 0.0

    @property
    def learns_from_teacher(self) -> bool:
        """Whether it marks an output that learns from a teacher alone, if the recipe distills."""
        return False

    @property
    def exit_weight(self) -> float | None:
        """The weight of the loss of its output, if that is an exit of the network; else None."""
        return None
