"""Graph -> torch.nn.Module.

Submodules are named after the paths of the graph, so `state_dict` keys follow the spec. A scope (a block call, a
branch, a named tensor) becomes a module of its own, a `Body`: it receives the scope's inputs, runs its stages in
order, and returns the tensors that stages outside use. A layer in a later use of a tied block has the module of the
first use, which `state_dict` has under the path of that alone.
"""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from cifar_dsl.analysis.reordering import fused_norms, pooled_first
from cifar_dsl.analysis.wiring import Wiring
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.ir import Graph, Lowering, Node, Scope, Stage
from cifar_dsl.training.lowering import (
    chance_modules,
    fused_modules,
    modules,
    pattern_modules,
    training_modules,
    weight_modules,
)
from cifar_dsl.training.lowering.initialization import OF_WEIGHT, generator_of, initialize

# By the key that an operation is lowered to.
MODULES: dict[str, type] = {
    **modules.MODULES,
    **chance_modules.MODULES,
    **pattern_modules.MODULES,
    **weight_modules.MODULES,
    **weight_modules.FUNCTIONS,
}


@frozen
class BodyStep:
    """One stage of a body: which child to call, and with which of the body's values."""

    child: str
    inputs: tuple[int, ...]  # numbers of values
    outputs: int | None = None  # how many values it makes as a tuple; None for a single tensor
    freed: tuple[int, ...] = ()  # values that no later step uses
    only_trains: bool = False  # whether it makes nothing but exits, which tests leave out

    @property
    def count(self) -> int:
        """How many values it makes."""
        return 1 if self.outputs is None else self.outputs


class Body(nn.Module):
    """A sequence of stages. Values are numbered: first the inputs, then the outputs of each step.

    `shared` are children of other bodies, by the names that they have here.
    """

    __jit_ignored_attributes__: ClassVar = ["_steps"]  # TorchScript can't read records; so it reports `forward` instead

    def __init__(
        self,
        label: str,
        children: dict[str, nn.Module],
        steps: tuple[BodyStep, ...],
        outputs: tuple[int, ...],
        shared: dict[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self._label = label
        self._shared = shared or {}  # a plain dictionary, so that they aren't children here
        self._steps = steps
        self._outputs = outputs
        for name, child in children.items():
            self.add_module(name, child)

    def forward(self, *inputs: Tensor) -> Any:
        """The outputs: a tensor, or a tuple of any other number."""
        return self._run(list(inputs))

    def _run(self, values: list[Any]) -> Any:
        for step in self._steps:
            if step.only_trains and not self.training:
                values += [None] * step.count
            else:
                child = self._shared[step.child] if step.child in self._shared else self._modules[step.child]
                put = values.append if step.outputs is None else values.extend  # no other name keeps a tensor alive
                put(child(*[values[i] for i in step.inputs]))  # type: ignore[misc]
            for i in step.freed:
                values[i] = None
        if len(self._outputs) == 1:
            return values[self._outputs[0]]
        return tuple([values[i] for i in self._outputs])

    def _get_name(self) -> str:
        return self._label


class Network(Body):
    """The body of a whole network, with the signature of an ordinary module."""

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:  # type: ignore[override]
        """Images (N, C, H, W) -> scores (N, classes).

        In training mode, a network with exits returns a tuple: its scores, then those of the exits, in their order.
        """
        outputs = self._run([x])
        if isinstance(outputs, tuple) and not self.training:
            return outputs[0]  # type: ignore[no-any-return]
        return outputs  # type: ignore[no-any-return]


def build_module(graph: Graph, name: str, seed: int) -> Network:
    """The network as a module on the CPU: (N, C, H, W) float32 -> (N, classes) float32; see `Network.forward`.

    A weight depends only on `seed` and on its path and shape, so a stage that two specs share starts from the same
    weights in both.
    """
    return _built(_Builder(graph), name, seed)


def build_training_module(graph: Graph, name: str, seed: int, device: torch.device, *, fuses: bool = False) -> Network:
    """As `build_module`, for training on a device, with layers that take less time there and have the same tensors.

    `fuses`: whether a batch norm and the activation behind it are compiled into one region.
    """
    targets = MODULES | training_modules.modules_for(device) | fused_modules.MODULES
    return _built(_Builder(graph, targets, fused_norms(graph) if fuses else pooled_first(graph)), name, seed)


def _built(builder: "_Builder", name: str, seed: int) -> Network:
    graph = builder.graph
    with torch.device("meta"):
        module = builder.network(name)
    _allocate(module)
    initialize(module, graph, seed)
    for node in graph.nodes:
        if any(parameter.initial.name in OF_WEIGHT for parameter in node.parameters):
            layer = module.get_submodule(node.path)
            assert isinstance(layer, weight_modules.OfWeight)
            layer.start(generator_of(seed, node.path))
        for parameter in node.parameters:
            if parameter.is_frozen:
                module.get_parameter(f"{node.path}.{parameter.name}").requires_grad_(False)
    return module


def _allocate(module: nn.Module) -> None:
    """Give tensors without memory memory on the CPU, as `to_empty` does, which imports SymPy: half a second."""
    for layer in module.modules():
        for name, one in layer.named_parameters(recurse=False):
            setattr(layer, name, nn.Parameter(torch.empty(one.shape, dtype=one.dtype), one.requires_grad))
        for name, buffer in layer.named_buffers(recurse=False):
            setattr(layer, name, torch.empty(buffer.shape, dtype=buffer.dtype))


def make(lowering: Lowering, ours: Mapping[str, type]) -> Any:
    """The object of a lowering, such as a module. `ours` is the table of targets that aren't torch's."""
    arguments = lowering.keywords().items()
    made = {name: make(value, ours) if isinstance(value, Lowering) else value for name, value in arguments}
    return resolve(lowering.target, ours)(**made)


def resolve(target: str, ours: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """The target of a lowering: an entry of `ours`, or a name in torch. Declarations set it, never a spec."""
    if target in ours:
        return ours[target]
    module_name, _, attribute = target.rpartition(".")
    return vars(importlib.import_module(module_name))[attribute]


class _Builder:
    """Builds modules of `targets`, which lowerings name. `instead` are other lowerings, by the value of their node."""

    def __init__(
        self,
        graph: Graph,
        targets: Mapping[str, type] = MODULES,
        instead: Mapping[int, Lowering] = MappingProxyType({}),
    ) -> None:
        self.graph = graph
        self._targets = targets
        self._instead = instead
        self._wiring = Wiring(graph)
        self._owners: dict[str, nn.Module] = {}  # modules of layers with parameters, by path

    def network(self, name: str) -> Network:
        """The module of the whole graph."""
        return Network(name, *self._contents(self.graph.body))

    def _contents(
        self, scope: Scope
    ) -> tuple[dict[str, nn.Module], tuple[BodyStep, ...], tuple[int, ...], dict[str, nn.Module]]:
        """Children, steps, outputs and shared modules of a scope's module."""
        wired = self._wiring.of(scope)
        shared = {
            one.name: self._owners[one.stage.shares]
            for one in wired.stages
            if isinstance(one.stage, Node) and one.stage.shares
        }
        children = {one.name: self._child(one.stage) for one in wired.stages if one.name not in shared}
        steps = [
            BodyStep(
                one.name,
                one.inputs,
                None if len(one.outputs) == 1 else len(one.outputs),
                only_trains=one.only_trains,
            )
            for one in wired.stages
        ]
        return children, _with_freed(steps, wired.inputs, wired.outputs), wired.outputs, shared

    def _child(self, stage: Stage) -> nn.Module:
        if isinstance(stage, Scope):
            return Body(stage.label, *self._contents(stage))
        module: nn.Module = make(self._instead.get(stage.output) or self._wiring.lowering(stage), self._targets)
        if stage.parameters:
            self._owners[stage.path] = module
        return module


def _with_freed(steps: list[BodyStep], inputs: int, outputs: tuple[int, ...]) -> tuple[BodyStep, ...]:
    """The steps, each with the values to free after it."""
    last_use: dict[int, int] = {}  # the step that uses a value last
    made = inputs
    for number, step in enumerate(steps):
        for _ in range(step.count):
            last_use[made] = number  # if no step uses it
            made += 1
        for value in step.inputs:
            last_use[value] = number
    freed: dict[int, list[int]] = {}
    for value, number in last_use.items():
        if value not in outputs:
            freed.setdefault(number, []).append(value)
    return tuple(evolve(step, freed=tuple(freed.get(number, ()))) for number, step in enumerate(steps))
