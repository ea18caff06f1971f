"""Graph -> torch.nn.Module.

Submodules are named after the paths of the graph, so `state_dict` keys follow the spec. A scope (a block call, a
branch, a named tensor) becomes a module of its own, a `Body`: it receives the scope's inputs and runs its stages in
order.
"""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from attrs import evolve
from torch import Tensor, nn

from cifar_dsl.analysis.overwriting import overwriting
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Graph, Lowering, Node, Scope, Stage
from cifar_dsl.training.lowering.initialization import initialize
from cifar_dsl.training.lowering.modules import MODULES


@frozen
class BodyStep:
    """One stage of a body: which child to call, and with which of the body's values."""

    child: str
    inputs: tuple[int, ...]  # numbers of values
    freed: tuple[int, ...] = ()  # values that no later step uses


class Body(nn.Module):
    """A sequence of stages. Values are numbered: first the inputs, then the output of each step."""

    def __init__(self, label: str, children: dict[str, nn.Module], steps: tuple[BodyStep, ...], output: int) -> None:
        super().__init__()
        self._label = label
        self._steps = steps
        self._output = output
        for name, child in children.items():
            self.add_module(name, child)

    def forward(self, *inputs: Tensor) -> Tensor:
        values: list[Any] = list(inputs)
        for step in self._steps:
            values.append(self._modules[step.child](*[values[i] for i in step.inputs]))  # type: ignore[misc]
            for i in step.freed:
                values[i] = None
        return values[self._output]  # type: ignore[no-any-return]

    def _get_name(self) -> str:
        return self._label


def build_module(graph: Graph, name: str, seed: int) -> Body:
    """The network as a module on the CPU: (N, C, H, W) float32 -> (N, classes) float32.

    A weight depends only on `seed` and on its path and shape, so a stage that two specs share starts from the same
    weights in both.
    """
    with torch.device("meta"):
        module = _Builder(graph).body(graph.body, name)
    module.to_empty(device="cpu")
    initialize(module, graph, seed)
    for node in graph.nodes:
        for parameter in node.parameters:
            if parameter.is_frozen:
                module.get_parameter(f"{node.path}.{parameter.name}").requires_grad_(False)
    return module


def make(lowering: Lowering, ours: Mapping[str, type[nn.Module]]) -> nn.Module:
    """The module of a lowering. `ours` is the table of targets that aren't torch's."""
    return resolve(lowering.target, ours)(**lowering.keywords())  # type: ignore[no-any-return]


def resolve(target: str, ours: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """The target of a lowering: an entry of `ours`, or a name in torch. Declarations set it, never a spec."""
    if target in ours:
        return ours[target]
    module_name, _, attribute = target.rpartition(".")
    return vars(importlib.import_module(module_name))[attribute]


class _Builder:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._overwriting = overwriting(graph)

    def body(self, scope: Scope, label: str) -> Body:
        """The module of a scope. The children of a join are its branches, then the join itself."""
        numbers = {value: i for i, value in enumerate(scope.inputs)}  # of the body's values, by the graph's
        children: dict[str, nn.Module] = {}
        steps: list[BodyStep] = []
        for stage in scope.stages if scope.kind == "join" else scope.computing:
            name = "join" if isinstance(stage, Node) and stage.operation.is_join else stage.name
            children[name] = self._child(stage)
            steps.append(BodyStep(name, tuple(numbers[value] for value in stage.inputs)))
            numbers[stage.output] = len(scope.inputs) + len(steps) - 1
        output = numbers[scope.output]
        return Body(label, children, _with_freed(steps, len(scope.inputs), output), output)

    def _child(self, stage: Stage) -> nn.Module:
        if isinstance(stage, Scope):
            return self.body(stage, stage.label)
        lowering = stage.operation.lower(*self._graph.input_shapes(stage))
        if stage.output in self._overwriting:
            lowering = evolve(lowering, arguments=(*lowering.arguments, ("inplace", True)))
        return make(lowering, MODULES)


def _with_freed(steps: list[BodyStep], inputs: int, output: int) -> tuple[BodyStep, ...]:
    """The steps, each with the values to free after it."""
    last_use: dict[int, int] = {}  # the step that uses a value last
    for number, step in enumerate(steps):
        last_use[inputs + number] = number  # if no step uses the output
        for value in step.inputs:
            last_use[value] = number
    freed: dict[int, list[int]] = {}
    for value, number in last_use.items():
        if value != output:
            freed.setdefault(number, []).append(value)
    return tuple(BodyStep(step.child, step.inputs, tuple(freed.get(number, ()))) for number, step in enumerate(steps))
