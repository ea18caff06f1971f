"""The optimizers of a recipe: one for each group of parameters, and one for all others."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.ir.recipe import Optimizer, Schedule
from cifar_dsl.operations.recipe.groups import assign
from cifar_dsl.training.feeds import Feed
from cifar_dsl.training.lion import Lion
from cifar_dsl.training.lowering.torch_module import resolve
from cifar_dsl.training.muon import Muon
from cifar_dsl.training.plan import Plan

# By the key that an optimizer lowers to.
OPTIMIZER_CLASSES: dict[str, type[torch.optim.Optimizer]] = {"lion": Lion, "muon": Muon}
_FIRST = {"mu_product": 1}  # nadam's; everything else that optimizers keep is 0 before the first step


@frozen
class _Part:
    """Parameters that are trained alike, for so many epochs and steps. `number` is its place among all parts."""

    number: int
    optimizer: torch.optim.Optimizer
    parameters: tuple[nn.Parameter, ...]
    lr: float
    schedule: Schedule
    epochs: float
    steps: int

    def set_rate(self, rate: float | Tensor) -> None:
        """Set the rate for the next step."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].copy_(torch.as_tensor(rate))
            else:
                group["lr"] = rate

    def step(self, is_allowed: Tensor | None) -> None:
        """Take a step along the gradients. It changes nothing where it isn't allowed, which the device alone knows."""
        if is_allowed is None:
            self.optimizer.step()
            return
        before = {name: tensor.clone() for name, tensor in self._tensors()}
        self.optimizer.step()
        for name, tensor in self._tensors():
            first = torch.full_like(tensor, _FIRST.get(name[1], 0))  # of what the optimizer has only made now
            allowed = is_allowed.to(tensor.device)  # counters of some lie on the CPU
            tensor.copy_(torch.where(allowed, tensor, before.get(name, first)))

    def _tensors(self) -> Iterator[tuple[tuple[int, str], Tensor]]:
        """Everything that a step changes, by names."""
        for index, parameter in enumerate(self.parameters):
            yield (index, "parameter"), parameter.detach()
            for name, value in self.optimizer.state[parameter].items():
                if isinstance(value, Tensor):
                    yield (index, name), value

    def end(self) -> None:
        """Let the parameters be as they are: no gradient is worked out for them any more."""
        for parameter in self.parameters:
            parameter.requires_grad_(False)
            parameter.grad = None


class Optimizers:
    """All optimizers of a recipe for one network. `parameters` are those that are trained at present.

    Where they are `recorded`, their rates lie on the device, and no step waits for it.
    """

    def __init__(self, module: nn.Module, graph: Graph, recipe: Recipe, plan: Plan, *, recorded: bool = False) -> None:
        self._module = module
        self._plan = plan
        self._all = self._made(graph, recipe, recorded=recorded)
        self._parts = self._all
        self._find_parameters()

    @property
    def active(self) -> tuple[int, ...]:
        """The numbers of the optimizers that take steps at present."""
        return tuple(part.number for part in self._parts)

    def rates(self, epoch: int) -> list[list[float]]:
        """The rate of every optimizer at each step of an epoch, which are counted from 1."""
        steps = self._plan.steps
        passed = [epoch - 1 + step / steps for step in range(self._plan.steps_in(epoch))]
        return [[part.lr * part.schedule.factor(at, part.epochs) for part in self._all] for at in passed]

    def prepare(self, epoch: int, step: int) -> None:
        """End the groups whose time is over at a step of an epoch; steps are counted from 0."""
        done = (epoch - 1) * self._plan.steps + step
        ended = [part for part in self._parts if done >= part.steps]
        if ended:
            for part in ended:
                part.end()
            self._parts = [part for part in self._parts if done < part.steps]
            self._find_parameters()

    def step(self, feed: Feed, is_allowed: Tensor | None = None) -> None:
        """Take a step along the gradients, at the rates that are fed; if told, only where it is allowed: () bool."""
        for part in self._parts:
            part.set_rate(feed.rate(part.number))
            part.step(is_allowed)

    def state(self) -> dict[str, Tensor]:
        """What the optimizers keep: `<optimizer>.<parameter>.<what>`, all by their numbers, to a tensor."""
        return {
            f"{part.number}.{index}.{name}": value
            for part in self._all
            for index, values in part.optimizer.state_dict()["state"].items()
            for name, value in values.items()
            if value is not None
        }

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        for part in self._all:
            values: dict[int, dict[str, Tensor]] = {}
            for key, value in state.items():
                number, index, name = key.split(".", 2)
                if int(number) == part.number:
                    values.setdefault(int(index), {})[name] = _laid_out_as(part.parameters[int(index)], value)
            groups = part.optimizer.state_dict()["param_groups"]
            rates = [group["lr"] for group in part.optimizer.param_groups]
            part.optimizer.load_state_dict({"state": values, "param_groups": groups})
            for group, rate in zip(part.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate  # the very same tensor

    def _find_parameters(self) -> None:
        self.parameters = [parameter for parameter in self._module.parameters() if parameter.requires_grad]

    def _made(self, graph: Graph, recipe: Recipe, *, recorded: bool) -> list[_Part]:
        assigned = assign(graph, recipe)
        members: dict[int | None, list[nn.Parameter]] = {}
        for path, parameter in self._module.named_parameters():
            if path in assigned:
                members.setdefault(assigned[path], []).append(parameter)
        parts: list[_Part] = []
        for number, parameters in members.items():
            if number is None:
                optimizer, schedule, epochs = recipe.optimizer, recipe.schedule, recipe.epochs
            else:
                group = recipe.groups[number]
                optimizer, schedule = group.optimizer, group.schedule
                epochs = recipe.epochs if group.epochs is None else group.epochs
            parts.append(
                _Part(
                    number=len(parts),
                    optimizer=_make(optimizer, parameters, recorded=recorded),
                    parameters=tuple(parameters),
                    lr=optimizer.lr,
                    schedule=schedule,
                    epochs=epochs,
                    steps=self._plan.steps_until(epochs),
                )
            )
        return parts


def _laid_out_as(parameter: nn.Parameter, value: Tensor) -> Tensor:
    """A value in the memory layout of its parameter: a fused step takes the numbers of both in their order there."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _make(declared: Optimizer, parameters: list[nn.Parameter], *, recorded: bool) -> torch.optim.Optimizer:
    lowering = declared.lower()
    keywords = lowering.keywords()
    if declared.has_fused:
        keywords["fused"] = True  # the same arithmetic in one pass over the weights
    if recorded:
        assert declared.can_be_recorded
        keywords["lr"] = torch.tensor(declared.lr, device=parameters[0].device)
        if declared.has_capturable and parameters[0].device.type == "cuda":
            keywords["capturable"] = True  # counts its steps on the device
    optimizer: torch.optim.Optimizer = resolve(lowering.target, OPTIMIZER_CLASSES)(parameters, **keywords)
    return optimizer
