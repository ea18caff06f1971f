"""The network: operations in their order, and which values flow into each."""

from collections.abc import Iterable
from functools import cached_property

from attrs import field, frozen

from cifar_dsl.ir.operation import Cost, Operation, Parameter
from cifar_dsl.ir.shape import Shape
from cifar_dsl.language.source import Span


@frozen
class Node:
    """One operation in its place.

    `path` is the stable name of the stage, and the prefix of its weights' names. `inputs` are numbers of
    values: 0 is the graph's input, k+1 the output of node k. `span` is where the spec says it.
    """

    path: str
    operation: Operation
    inputs: tuple[int, ...]
    shape: Shape
    cost: Cost
    parameters: tuple[Parameter, ...] = ()
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Scope:
    """A part of the graph that has a name of its own.

    `kind` is block (a call), join, branch, let (a named tensor) or part (a loop or condition with a name). The
    nodes whose paths begin with `path` belong to it; `label` is how the spec says it; `output` is the number of
    a value, as in `Node`. `span` is where the spec says a block's call.
    """

    path: str
    kind: str
    label: str
    output: int
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen(slots=False)
class Graph:
    """The network: nodes in an order in which they can be computed, and the value that is its output."""

    input: Shape
    nodes: tuple[Node, ...]
    scopes: tuple[Scope, ...]
    output: int

    def shape_of(self, value: int) -> Shape:
        """Shape of a value: 0 is the input, k+1 the output of node k."""
        return self.input if value == 0 else self.nodes[value - 1].shape

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        """Shapes of a node's inputs."""
        return tuple(map(self.shape_of, node.inputs))

    @cached_property
    def cost(self) -> Cost:
        """Parameters and multiply-accumulates of the whole network, for one image."""
        return sum((node.cost for node in self.nodes), Cost())

    def cost_of(self, nodes: Iterable[int]) -> Cost:
        """What some of its nodes cost together; they are named by their indices."""
        return sum((self.nodes[index].cost for index in nodes), Cost())
