"""Graph -> torch.nn.Module.

The names of submodules are the paths of the graph, so `state_dict` keys follow the spec. A scope (a block
call, a branch, a named tensor) becomes a module of its own, a `Body`, which takes the tensors that flow into
it and runs its stages in order.
"""

import importlib
from typing import Any

import torch
from attrs import define, field, frozen
from torch import Tensor, nn

from cifar_dsl.backends.initialization import initialize
from cifar_dsl.ir import Call, Graph, Node
from cifar_dsl.layers import JOINS, LAYERS


@frozen
class Step:
    """One stage of a body: the child that computes it, and the numbers of its inputs among the body's values.

    `spent` are the values that no later step needs, so that they can be freed.
    """

    child: str
    inputs: tuple[int, ...]
    spent: tuple[int, ...] = ()


class Body(nn.Module):
    """Stages that follow each other. Values are numbered: first the inputs, then each step's output."""

    def __init__(self, label: str, children: dict[str, nn.Module], steps: tuple[Step, ...], output: int) -> None:
        super().__init__()
        self._label = label
        self._steps = steps
        self._output = output
        for name, child in children.items():
            self.add_module(name, child)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Run the steps."""
        values: list[Any] = list(inputs)
        for step in self._steps:
            values.append(self._modules[step.child](*[values[i] for i in step.inputs]))  # type: ignore[misc]
            for i in step.spent:
                values[i] = None
        return values[self._output]  # type: ignore[no-any-return]

    def _get_name(self) -> str:
        return self._label


def build_module(graph: Graph, name: str, seed: int) -> nn.Module:
    """The network as an ordinary module on the CPU: (N, C, H, W) -> (N, classes).

    Weights depend on `seed` and on each weight's path and shape alone, so a stage that two specs share
    starts from the same weights in both.
    """
    with torch.device("meta"):
        module = _Builder(graph).body("", name, (0,), graph.output)
    module.to_empty(device="cpu")
    initialize(module, graph, seed)
    return module


def make(call: Call) -> nn.Module:
    """The module that emitted data stands for."""
    return resolve(call.name)(**call.keywords())  # type: ignore[no-any-return]


def resolve(name: str) -> Any:
    """What a full name such as `torch.nn.Conv2d` stands for. Names come from declarations, never from specs."""
    module_name, _, attribute = name.rpartition(".")
    return vars(importlib.import_module(module_name))[attribute]


@define
class _Part:
    """What lies directly below a path: a node, or a scope with parts of its own, or (a join) both."""

    node: int | None = None  # index into graph.nodes
    parts: "dict[str, _Part]" = field(factory=dict)


class _Builder:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._scopes = {scope.path: scope for scope in graph.scopes}
        self._root = _Part()
        for path, index in _by_place(graph):
            part = self._root
            for name in path.split("."):
                part = part.parts.setdefault(name, _Part())
            part.node = index

    def body(self, path: str, label: str, inputs: tuple[int, ...], output: int) -> nn.Module:
        """The module of the scope at `path`, which takes the graph's values `inputs`."""
        numbers = {value: i for i, value in enumerate(inputs)}  # of the graph's values, among the body's
        children: dict[str, nn.Module] = {}
        steps: list[Step] = []
        for name, part in self._part(path).parts.items():
            child_path = f"{path}.{name}" if path else name
            child, child_inputs, child_output = self._child(child_path, part)
            children[name] = child
            steps.append(Step(name, tuple(numbers[value] for value in child_inputs)))
            numbers[child_output] = len(inputs) + len(steps) - 1
        return Body(label, children, _with_spent(steps, len(inputs), numbers[output]), numbers[output])

    def _child(self, path: str, part: _Part) -> tuple[nn.Module, tuple[int, ...], int]:
        """A module, the values of the graph that it takes, and the one that it gives."""
        if path in self._scopes:
            scope = self._scopes[path]
            inputs = self._inputs_of(part, scope.output)
            if part.node is not None:
                return self._join(path, self._graph.nodes[part.node], inputs), inputs, scope.output
            return self.body(path, scope.label, inputs, scope.output), inputs, scope.output
        assert part.node is not None
        node = self._graph.nodes[part.node]
        x = self._graph.shape_of(node.inputs[0])
        return make(LAYERS.of(node.call).emit(x)), node.inputs, part.node + 1

    def _join(self, path: str, node: Node, inputs: tuple[int, ...]) -> nn.Module:
        """A join: its branches are its children, and the joining function is the last of them."""
        numbers = {value: i for i, value in enumerate(inputs)}
        children: dict[str, nn.Module] = {}
        steps: list[Step] = []
        outputs: list[int] = []
        for i, value in enumerate(node.inputs, start=1):
            name = f"branch{i}"
            part = self._part(path).parts.get(name, _Part())
            child_inputs = self._inputs_of(part, value)
            children[name] = self.body(f"{path}.{name}", name, child_inputs, value)
            steps.append(Step(name, tuple(numbers[v] for v in child_inputs)))
            outputs.append(len(inputs) + len(steps) - 1)
        children["join"] = make(JOINS.of(node.call).emit())
        steps.append(Step("join", tuple(outputs)))
        output = len(inputs) + len(steps) - 1
        return Body(node.call.name, children, _with_spent(steps, len(inputs), output), output)

    def _part(self, path: str) -> _Part:
        part = self._root
        for name in path.split(".") if path else ():
            part = part.parts.get(name, _Part())
        return part

    def _inputs_of(self, part: _Part, output: int) -> tuple[int, ...]:
        """The values that flow into a part from outside, in the order in which they are made."""
        inside = {index + 1 for index in _nodes_of(part)}
        needed = {value for index in _nodes_of(part) for value in self._graph.nodes[index].inputs} | {output}
        return tuple(sorted(needed - inside))


def _by_place(graph: Graph) -> list[tuple[str, int]]:
    return [(node.path, index) for index, node in enumerate(graph.nodes)]


def _nodes_of(part: _Part) -> list[int]:
    found: list[int] = []
    waiting = [part]
    while waiting:
        current = waiting.pop()
        if current.node is not None:
            found.append(current.node)
        waiting.extend(current.parts.values())
    return found


def _with_spent(steps: list[Step], inputs: int, output: int) -> tuple[Step, ...]:
    """The steps, each with the values that it is the last to use."""
    last: dict[int, int] = {}
    for number, step in enumerate(steps):
        last[inputs + number] = number  # also of what nothing uses
        for value in step.inputs:
            last[value] = number
    spent: dict[int, list[int]] = {}
    for value, number in last.items():
        if value != output:
            spent.setdefault(number, []).append(value)
    return tuple(Step(step.child, step.inputs, tuple(spent.get(number, ()))) for number, step in enumerate(steps))
