"""The network: a tree of operations, and which values flow into each.

A value is a tensor on its way through the network, and has one number everywhere: 0 is the graph's input, and the
nodes make the values from 1 on, in an order in which they can be computed.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property

from attrs import field

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir.operation import Cost, Operation, Parameter
from cifar_dsl.ir.shape import Shape
from cifar_dsl.language.source import Span


@frozen
class Node:
    """One operation in its place.

    `path` is the stable name of the stage, and the prefix of its weights' names. `inputs` are the values that it takes,
    `output` the one that it makes. `span` is where the spec says it.
    """

    path: str
    operation: Operation
    inputs: tuple[int, ...]
    output: int
    shape: Shape
    cost: Cost
    parameters: tuple[Parameter, ...] = ()
    span: Span | None = field(default=None, eq=False, repr=False)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def values(self) -> range:
        """The values that are made here: one."""
        return range(self.output, self.output + 1)


@frozen
class Scope:
    """A part of the network with a name of its own, and what it holds.

    `kind` is model (the whole), block (a call), join, branch, let (a named tensor) or part (a loop or condition with a
    name). The last stage of a join is its node, after the branches. `label` is how the spec says it, and `span` where
    it says a block's call.

    `inputs` are the values that flow in from outside, in their order, and `output` is what flows out, perhaps one of
    the inputs. `values` are those that are made inside.
    """

    path: str
    kind: str
    label: str
    inputs: tuple[int, ...]
    output: int
    values: range
    stages: "tuple[Stage, ...]"
    span: Span | None = field(default=None, eq=False, repr=False)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def computing(self) -> "Iterator[Stage]":
        """The stages that hold a node; others only give a tensor another name."""
        return (stage for stage in self.stages if stage.values)


Stage = Node | Scope


@frozen(slots=False)
class Graph:
    """The network, from its input to the output of its `body`."""

    input: Shape
    body: Scope

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, in an order in which they can be computed."""
        return tuple(stage for stage in self._stages if isinstance(stage, Node))

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        """All scopes but the body, each before those that it holds."""
        return tuple(stage for stage in self._stages if isinstance(stage, Scope) and stage is not self.body)

    @cached_property
    def _stages(self) -> tuple[Stage, ...]:
        found: list[Stage] = []
        waiting: list[Stage] = [self.body]
        while waiting:
            stage = waiting.pop()
            found.append(stage)
            if isinstance(stage, Scope):
                waiting.extend(reversed(stage.stages))
        return tuple(found)

    @property
    def output(self) -> int:
        """The value that is the network's output."""
        return self.body.output

    def maker(self, value: int) -> Node | None:
        """The node that makes a value; None for the input."""
        return self.nodes[value - 1] if value else None

    def makers(self, values: range) -> tuple[Node, ...]:
        """The nodes that make some values; the input isn't among them."""
        return self.nodes[values.start - 1 : values.stop - 1]

    def shape_of(self, value: int) -> Shape:
        """Shape of a value."""
        maker = self.maker(value)
        return maker.shape if maker else self.input

    def name_of(self, value: int) -> str:
        """The path of a value's maker, or `input`."""
        maker = self.maker(value)
        return maker.path if maker else "input"

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        """Shapes of a node's inputs."""
        return tuple(map(self.shape_of, node.inputs))

    @cached_property
    def cost(self) -> Cost:
        """Parameters and multiply-accumulates of the whole network, for one image."""
        return self.cost_of(self.body.values)

    def cost_of(self, values: Iterable[int]) -> Cost:
        """Parameters and multiply-accumulates of the nodes that make some values."""
        return sum((maker.cost for value in values if (maker := self.maker(value))), Cost())
