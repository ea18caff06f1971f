"""What a node of the graph computes."""

from math import prod
from typing import Any, ClassVar

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir.declaration import Declaration
from cifar_dsl.ir.execution import Execution
from cifar_dsl.ir.lowering import Lowering
from cifar_dsl.ir.shape import Shape
from cifar_dsl.ir.values import Call


@frozen
class Parameter:
    """A tensor that an operation owns: a trained parameter, or a buffer such as a running mean.

    `initial` names how it is filled at first: uniform(bound), constant(value) ... `kind` is what `train` may
    select it by: filter, matrix, bias, scale, embedding, or buffer. A frozen one keeps its first values.
    """

    name: str
    shape: tuple[int, ...]
    initial: Call
    kind: str
    is_frozen: bool = False

    @property
    def is_buffer(self) -> bool:
        """Whether it is kept beside the parameters and never trained."""
        return self.kind == "buffer"

    @property
    def is_trained(self) -> bool:
        """Whether the optimizer changes it."""
        return not (self.is_frozen or self.is_buffer)

    @property
    def elements(self) -> int:
        """How many numbers the tensor holds."""
        return prod(self.shape)


@frozen
class Cost:
    """What a graph or a part of it costs for one image.

    `parameters`: numbers in weights, frozen ones included. `macs`: multiply-accumulates of convolutions, dense
    layers and attention. The memory that it takes: `analysis`.
    """

    parameters: int = 0
    macs: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.parameters + other.parameters, self.macs + other.macs)


class Operation(Declaration):
    """A layer or a join: arguments, and what follows from them and the shapes of its inputs.

    A layer has one input, a join one or more. All else is the same:

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

    `family` is what pictures colour it by. `execution` stands beside each class; only the memory estimate and the
    module builder read it.
    """

    # A layer narrows `*inputs` to one `x`, which mypy allows where the base takes anything.

    is_positional: ClassVar[bool] = True
    is_join: ClassVar[bool] = False
    is_norm: ClassVar[bool] = False  # whether it normalises: `train` selects the parameters of these as `norm`
    family: ClassVar[str] = "other"
    execution: ClassVar[Execution]

    def infer(self, *inputs: Any, **_: Any) -> Shape:
        """Shape of the output. Raises MisfitError where an input or an argument doesn't go with it."""
        raise NotImplementedError(self.name, inputs)

    def parameters(self, *inputs: Any, **_: Any) -> tuple[Parameter, ...]:  # noqa: ARG002
        """The tensors that it owns, in the order of the module's `state_dict`. Raises MisfitError."""
        return ()

    def macs(self, *shapes: Any, **_: Any) -> int:  # noqa: ARG002
        """Multiply-accumulates for one image, given the inputs and the output."""
        return 0

    def cost(self, *shapes: Any, **_: Any) -> Cost:
        """Parameters and multiply-accumulates for one image, given the inputs and the output."""
        trained = sum(p.elements for p in self.parameters(*shapes[:-1]) if not p.is_buffer)
        return Cost(trained, self.macs(*shapes))

    def lower(self, *inputs: Any, **_: Any) -> Lowering:
        """The torch module, as data; of a join, one that takes its inputs as positional arguments."""
        raise NotImplementedError(self.name, inputs)

    def needs_batch(self, *inputs: Any, **_: Any) -> bool:  # noqa: ARG002
        """Whether training needs more than one image in a batch."""
        return False

    def dropped_border(self, *inputs: Any, **_: Any) -> tuple[int, int]:  # noqa: ARG002
        """How many rows at the bottom and columns at the right of its input have no part in the output."""
        return 0, 0

    def is_first(self) -> bool:
        """Whether it must be the network's first layer."""
        return False

    @property
    def is_random(self) -> bool:
        """Whether it draws from torch's generator while training."""
        return False
