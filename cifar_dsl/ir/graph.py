"""The network: a tree of scopes whose leaves are operations, and the values that flow between them.

A value is the tensor that a node computes. Values are numbered: 0 is the graph's input, and the node at index i of
`Graph.nodes` makes value i + 1. The nodes are in topological order.
"""

from collections.abc import Iterable, Iterator, Set
from functools import cached_property
from typing import Any

from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.ir.operation import Cost, Operation, Parameter
from cifar_dsl.ir.shape import Shape
from cifar_dsl.language.source import Span


@frozen
class Node:
    """One operation of the graph.

    Attributes:
        path: The unique name of the node, and the prefix of its weights' names in `state_dict`.
        operation: The layer or join.
        inputs: The values that it uses, in order.
        output: The value that it makes.
        shape: The shape of the output, without the batch.
        cost: Its cost for one image.
        parameters: The tensors that it owns.
        span: Its place in the spec.
        parts: How many parts of each image it runs for, in the body of `each` or `windows`; its cost is that of all.
        shares: The path of the node whose parameters it uses, in a later use of a tied block; None if it has its own.
    """

    path: str
    operation: Operation
    inputs: tuple[int, ...]
    output: int
    shape: Shape
    cost: Cost
    parameters: tuple[Parameter, ...] = ()
    span: Span | None = field(default=None, eq=False, repr=False)
    parts: int = 1
    shares: str | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def used_inputs(self) -> tuple[int, ...]:
        """The inputs whose numbers it uses: none if it only needs to know how many images there are."""
        return () if self.operation.takes_only_batch else self.inputs

    @property
    def values(self) -> range:
        """The values that the stage makes: one."""
        return range(self.output, self.output + 1)


@frozen
class Scope:
    """A named part of the network that contains stages.

    Attributes:
        path: The unique name of the scope, and the prefix of the names inside.
        kind: model (the whole), block (a call), tied (a use of a tied block), join, branch, scope (of the language),
            let (a named tensor) or part (a named loop or condition).
        label: The text in the spec, such as the call of a block.
        inputs: The values from outside that the scope uses, in order.
        outputs: The value of the last stage, which may be one of the inputs; several or none if it is a list.
        values: The values that the scope makes.
        stages: The nodes and scopes inside. The last stage of a join is its node, after the branches.
        span: The place of a block's call in the spec.
        arguments: The plain values of a block's parameters by name; of a block that is passed, its name.
        shares: The path of the first use of a tied block, in its later uses; else None.
    """

    path: str
    kind: str
    label: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    values: range
    stages: "tuple[Stage, ...]"
    span: Span | None = field(default=None, eq=False, repr=False)
    arguments: tuple[tuple[str, Any], ...] = field(default=(), eq=False, repr=False)
    shares: str | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def output(self) -> int:
        """Its only output."""
        (output,) = self.outputs
        return output

    @property
    def computing(self) -> "Iterator[Stage]":
        """The stages that contain a node; the others only rename a tensor."""
        return (stage for stage in self.stages if stage.values)


Stage = Node | Scope


@frozen
class Graph:
    """The network: the shape of an input image (C, H, W), and a body that contains all stages."""

    input: Shape
    body: Scope

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, in topological order."""
        return tuple(stage for stage in self._stages if isinstance(stage, Node))

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        """All scopes except the body, each before the scopes inside it."""
        return tuple(stage for stage in self._stages if isinstance(stage, Scope) and stage is not self.body)

    @cached_property
    def consumers(self) -> tuple[list[Node], ...]:
        """Of each value, the nodes that take it."""
        found: tuple[list[Node], ...] = tuple([] for _ in range(self.body.values.stop))
        for node in self.nodes:
            for value in node.inputs:
                found[value].append(node)
        return found

    @cached_property
    def places(self) -> dict[Span, list[Node]]:
        """The places in the text that nodes come from, in order, each with its nodes: one for each expansion."""
        found: dict[Span, list[Node]] = {}
        for node in self.nodes:
            if node.span is not None:
                found.setdefault(node.span, []).append(node)
        return found

    @cached_property
    def _owners(self) -> dict[str, Node]:
        wanted = {node.shares for node in self.nodes if node.shares}
        return {node.path: node for node in self.nodes if node.path in wanted} if wanted else {}

    def owner(self, node: Node) -> Node:
        """The node whose parameters a node uses: itself, except in a later use of a tied block."""
        return self._owners[node.shares] if node.shares else node

    @cached_property
    def later_uses(self) -> dict[int, Scope]:
        """The later uses of tied blocks by the values that their layers with parameters make.

        Of a tied block in another one, that is the outer use.
        """
        found: dict[int, Scope] = {}
        for scope in self.scopes:
            if scope.kind == "tied" and scope.shares:
                found = dict.fromkeys(scope.values, scope) | found
        return {node.output: found[node.output] for node in self.nodes if node.shares}

    @cached_property
    def _stages(self) -> tuple[Stage, ...]:
        stages: list[Stage] = []
        waiting: list[Stage] = [self.body]
        while waiting:
            stage = waiting.pop()
            stages.append(stage)
            if isinstance(stage, Scope):
                waiting.extend(reversed(stage.stages))
        return tuple(stages)

    @cached_property
    def tensor_names(self) -> frozenset[str]:
        """The names that some `let` gives to a tensor."""
        return frozenset(name for scope in self.scopes if scope.kind == "let" for name in scope.label.split(", "))

    @property
    def output(self) -> int:
        """The value of the network's output."""
        return self.body.output

    @cached_property
    def exits(self) -> tuple[int, ...]:
        """The values of the exits other than the network's output, in topological order."""
        marked = (node.output for node in self.nodes if node.operation.exit_weight is not None)
        return tuple(value for value in marked if value != self.output)

    @cached_property
    def evaluated(self) -> frozenset[int]:
        """The values that a test computes: all, except those that the output of a network with exits doesn't use."""
        if not self.exits:
            return frozenset(self.body.values)
        return frozenset(self.used_by(self.output, frozenset()))

    def used_by(self, value: int, known: Set[int]) -> set[int]:
        """A value and all values that are made on the way to it, without those that are `known` and what they use."""
        found: set[int] = set()
        waiting = [value]
        while waiting:
            value = waiting.pop()
            if value and value not in found and value not in known:
                found.add(value)
                waiting += self.nodes[value - 1].inputs
        return found

    def maker(self, value: int) -> Node | None:
        """The node that makes a value; None for the input."""
        return self.nodes[value - 1] if value else None

    def makers(self, values: range) -> tuple[Node, ...]:
        """The nodes that make `values`, which must not include the input."""
        return self.nodes[values.start - 1 : values.stop - 1]

    def shape_of(self, value: int) -> Shape:
        """Shape of a value, without the batch."""
        maker = self.maker(value)
        return maker.shape if maker else self.input

    def parts_of(self, value: int) -> int:
        """How many parts of each image a value consists of."""
        maker = self.maker(value)
        return maker.parts if maker else 1

    def name_of(self, value: int) -> str:
        """The path of the node that makes a value, or `input`."""
        maker = self.maker(value)
        return maker.path if maker else "input"

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        """Shapes of a node's inputs, without the batch."""
        return tuple(map(self.shape_of, node.inputs))

    @cached_property
    def cost(self) -> Cost:
        """The parameters of the whole network, those of exits included, and the multiply-accumulates of a test."""
        return Cost(self.training_cost.parameters, self.cost_of(self.evaluated).macs)

    @cached_property
    def training_cost(self) -> Cost:
        """Parameters and multiply-accumulates of a forward pass in training, exits included, for one image."""
        return self.cost_of(self.body.values)

    def cost_of(self, values: Iterable[int]) -> Cost:
        """Parameters and multiply-accumulates of the nodes that make `values`, for one image."""
        costs = [maker.cost for value in values if (maker := self.maker(value))]
        return Cost(sum(cost.parameters for cost in costs), sum(cost.macs for cost in costs))
