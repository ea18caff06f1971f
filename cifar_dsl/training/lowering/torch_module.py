"""Graph -> torch.nn.Module.

The names of submodules are the paths of the graph, so `state_dict` keys follow the spec. A scope (a block
call, a branch, a named tensor) becomes a module of its own, a `Body`, which takes the tensors that flow into
it and runs its stages in order.
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
    """One stage of a body: the child that computes it, and the numbers of its inputs among the body's values.

    `spent` are the values that no later step needs, so that they can be freed.
    """

    child: str
    inputs: tuple[int, ...]
    spent: tuple[int, ...] = ()


class Body(nn.Module):
    """Stages that follow each other. Values are numbered: first the inputs, then each step's output."""

    def __init__(self, label: str, children: dict[str, nn.Module], steps: tuple[BodyStep, ...], output: int) -> None:
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
        module = _Builder(graph).body(graph.body, name)
    module.to_empty(device="cpu")
    initialize(module, graph, seed)
    for node in graph.nodes:
        for parameter in node.parameters:
            if parameter.is_frozen:
                module.get_parameter(f"{node.path}.{parameter.name}").requires_grad_(False)
    return module


def make(lowering: Lowering, ours: Mapping[str, type[nn.Module]]) -> nn.Module:
    """The module that a lowering stands for; `ours` is the table of its key, where the target is not torch's."""
    return resolve(lowering.target, ours)(**lowering.keywords())  # type: ignore[no-any-return]


def resolve(target: str, ours: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """What the target of a lowering names: an entry of `ours`, or torch's own. No spec says it: declarations do."""
    if target in ours:
        return ours[target]
    module_name, _, attribute = target.rpartition(".")
    return vars(importlib.import_module(module_name))[attribute]


class _Builder:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._overwriting = overwriting(graph)

    def body(self, scope: Scope, label: str) -> nn.Module:
        """The module of a scope, which takes its inputs. A join's branches are its children, and then what joins."""
        numbers = {value: i for i, value in enumerate(scope.inputs)}  # of the graph's values, among the body's
        children: dict[str, nn.Module] = {}
        steps: list[BodyStep] = []
        for stage in scope.stages if scope.kind == "join" else scope.computing:
            name = "join" if isinstance(stage, Node) and stage.operation.is_join else stage.name
            children[name] = self._child(stage)
            steps.append(BodyStep(name, tuple(numbers[value] for value in stage.inputs)))
            numbers[stage.output] = len(scope.inputs) + len(steps) - 1
        output = numbers[scope.output]
        return Body(label, children, _with_spent(steps, len(scope.inputs), output), output)

    def _child(self, stage: Stage) -> nn.Module:
        if isinstance(stage, Scope):
            return self.body(stage, stage.label)
        lowering = stage.operation.lower(*self._graph.input_shapes(stage))
        if stage.output in self._overwriting:
            lowering = evolve(lowering, arguments=(*lowering.arguments, ("inplace", True)))
        return make(lowering, MODULES)


def _with_spent(steps: list[BodyStep], inputs: int, output: int) -> tuple[BodyStep, ...]:
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
    return tuple(BodyStep(step.child, step.inputs, tuple(spent.get(number, ()))) for number, step in enumerate(steps))
