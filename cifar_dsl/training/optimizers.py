"""The optimizers of a recipe: one for each group of parameters, and one for all others."""

import torch
from attrs import frozen
from torch import nn

from cifar_dsl.backends.torch_module import resolve
from cifar_dsl.ir import Call, Graph, Recipe
from cifar_dsl.recipes import OPTIMIZERS, SCHEDULES
from cifar_dsl.recipes.groups import assign
from cifar_dsl.recipes.schedule import Schedule
from cifar_dsl.training.plan import Plan


@frozen
class _Part:
    """Parameters that are trained alike, for so many epochs and steps."""

    optimizer: torch.optim.Optimizer
    parameters: tuple[nn.Parameter, ...]
    lr: float
    schedule: Schedule
    epochs: float
    steps: int

    def set_rate(self, passed: float) -> None:
        """Set the rate for the step at which so many epochs have passed."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * self.schedule.factor(passed, self.epochs)

    def end(self) -> None:
        """Let the parameters be as they are: no gradient is worked out for them any more."""
        for parameter in self.parameters:
            parameter.requires_grad_(False)
            parameter.grad = None


class Optimizers:
    """All optimizers of a recipe for one network. `parameters` are those that are trained at present."""

    def __init__(self, module: nn.Module, graph: Graph, recipe: Recipe, plan: Plan) -> None:
        self._module = module
        self._plan = plan
        self._parts = self._made(graph, recipe)
        self._find_parameters()

    def begin(self, epoch: int, step: int) -> None:
        """Set the rates for a step of an epoch, and end the groups whose time is over.

        Epochs are counted from 1, steps within the epoch from 0.
        """
        done = (epoch - 1) * self._plan.steps + step
        ended = [part for part in self._parts if done >= part.steps]
        if ended:
            for part in ended:
                part.end()
            self._parts = [part for part in self._parts if done < part.steps]
            self._find_parameters()
        for part in self._parts:
            part.set_rate(epoch - 1 + step / self._plan.steps)

    def step(self) -> None:
        """Take a step along the gradients."""
        for part in self._parts:
            part.optimizer.step()

    def _find_parameters(self) -> None:
        self.parameters = [parameter for parameter in self._module.parameters() if parameter.requires_grad]

    def _made(self, graph: Graph, recipe: Recipe) -> list[_Part]:
        assigned = assign(graph, recipe)
        members: dict[int | None, list[nn.Parameter]] = {}
        for path, parameter in self._module.named_parameters():
            if path in assigned:
                members.setdefault(assigned[path], []).append(parameter)
        parts = []
        for number, parameters in members.items():
            if number is None:
                optimizer, schedule, epochs = recipe.optimizer, recipe.schedule, recipe.epochs
            else:
                group = recipe.groups[number]
                optimizer, schedule = group.optimizer, group.schedule
                epochs = recipe.epochs if group.epochs is None else group.epochs
            parts.append(
                _Part(
                    optimizer=_make(optimizer, parameters),
                    parameters=tuple(parameters),
                    lr=OPTIMIZERS.of(optimizer).lr,
                    schedule=SCHEDULES.of(schedule),
                    epochs=epochs,
                    steps=self._plan.steps_until(epochs),
                )
            )
        return parts


def _make(call: Call, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    declared = OPTIMIZERS.of(call)
    emitted = declared.emit()
    keywords: dict[str, object] = dict(emitted.arguments)
    if declared.has_fused:
        keywords["fused"] = True  # the same arithmetic in one pass over the weights
    optimizer: torch.optim.Optimizer = resolve(emitted.name)(parameters, **keywords)
    return optimizer
