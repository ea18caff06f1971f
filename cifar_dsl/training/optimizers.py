"""The optimizers of a recipe: one per parameter group, and one for all other parameters."""

import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.ir.recipe import Optimizer, Schedule
from cifar_dsl.operations.recipe.groups import assign
from cifar_dsl.training.device_momentum import DEVICE_CLASSES
from cifar_dsl.training.lion import Lion
from cifar_dsl.training.lowering.torch_module import resolve
from cifar_dsl.training.muon import Muon
from cifar_dsl.training.plan import Plan
from cifar_dsl.training.step_inputs import StepInputs

# By the key that an optimizer is lowered to.
OPTIMIZER_CLASSES: dict[str, type[torch.optim.Optimizer]] = {"lion": Lion, "muon": Muon}
# The state of an optimizer before the first step is 0, with this exception of NAdam.
_INITIAL_STATE = {"mu_product": 1}


@frozen
class _GroupOptimizer:
    """The optimizer of one group of parameters, which it trains for `epochs` epochs: `steps` steps."""

    number: int  # among the recipe's optimizers
    optimizer: torch.optim.Optimizer
    parameters: tuple[nn.Parameter, ...]
    lr: float
    schedule: Schedule
    epochs: float
    steps: int
    momentum_argument: str | None  # the argument of the momentum that the schedule sets
    momentum_column: int  # among the hyperparameters

    def set_rate(self, rate: float | Tensor) -> None:
        """Set the learning rate for the next step."""
        for group in self.optimizer.param_groups:
            group["lr"] = _replaced(group["lr"], rate)

    def set_momentum(self, momentum: float | Tensor) -> None:
        """Set the momentum for the next step, in the argument that holds it."""
        assert self.momentum_argument
        for group in self.optimizer.param_groups:
            if self.momentum_argument == "betas":
                first, second = group["betas"]
                group["betas"] = (_replaced(first, momentum), second)
            else:
                group[self.momentum_argument] = _replaced(group[self.momentum_argument], momentum)

    def step(self, is_allowed: Tensor | None) -> None:
        """Update the parameters, unless `is_allowed`, () bool on the device, is false. The host doesn't wait for it."""
        if is_allowed is None:
            self.optimizer.step()
            return
        before = {name: tensor.clone() for name, tensor in self._tensors()}
        self.optimizer.step()
        for name, tensor in self._tensors():
            first = torch.full_like(tensor, _INITIAL_STATE.get(name[1], 0))  # for state that this step created
            allowed = is_allowed.to(tensor.device)  # some optimizers keep counters on the CPU
            tensor.copy_(torch.where(allowed, tensor, before.get(name, first)))

    def _tensors(self) -> Iterator[tuple[tuple[int, str], Tensor]]:
        """Everything that a step changes, by parameter index and name."""
        for index, parameter in enumerate(self.parameters):
            yield (index, "parameter"), parameter.detach()
            for name, value in self.optimizer.state[parameter].items():
                if isinstance(value, Tensor):
                    yield (index, name), value

    def end(self) -> None:
        """Stop training the parameters: autograd computes no more gradients for them."""
        for parameter in self.parameters:
            parameter.requires_grad_(False)
            parameter.grad = None


class Optimizers:
    """All optimizers of a recipe for one network. `parameters` are those in training at present.

    With `inputs_on_device`, learning rates and momenta that change are tensors on the device, as recorded steps
    require.
    """

    def __init__(
        self, module: nn.Module, graph: Graph, recipe: Recipe, plan: Plan, *, inputs_on_device: bool = False
    ) -> None:
        self._module = module
        self._plan = plan
        self._all = self._make_all(graph, recipe, inputs_on_device=inputs_on_device)
        self._active = self._all
        self._select_parameters()

    @property
    def active(self) -> tuple[int, ...]:
        """The numbers of the optimizers in use at present."""
        return tuple(part.number for part in self._active)

    @property
    def columns(self) -> int:
        """The number of columns of `hyperparameters`."""
        return len(self._all) + sum(part.momentum_argument is not None for part in self._all)

    def hyperparameters(self, epoch: int) -> list[list[float]]:
        """The learning rates, then the momenta that schedules set, in each step of an epoch: [step][column].

        Epochs count from 1.
        """
        steps = self._plan.steps
        passed = [epoch - 1 + step / steps for step in range(self._plan.steps_in(epoch))]
        cycled = [part for part in self._all if part.momentum_argument]
        return [
            [part.lr * part.schedule.factor(at, part.epochs) if part.steps else 0.0 for part in self._all]
            + [part.schedule.momentum_at(at, part.epochs) if part.steps else 0.0 for part in cycled]
            for at in passed
        ]

    def prepare(self, epoch: int, step: int) -> None:
        """Stop training the groups whose epochs are over before a step. Epochs count from 1, steps from 0."""
        done = (epoch - 1) * self._plan.steps + step
        ended = [part for part in self._active if done >= part.steps]
        if ended:
            for part in ended:
                part.end()
            self._active = [part for part in self._active if done < part.steps]
            self._select_parameters()

    def step(self, inputs: StepInputs, is_allowed: Tensor | None = None) -> None:
        """Update the parameters with the hyperparameters of `inputs`, unless `is_allowed`, () bool, is false."""
        for part in self._active:
            part.set_rate(inputs.hyperparameter(part.number))
            if part.momentum_argument:
                part.set_momentum(inputs.hyperparameter(part.momentum_column))
            part.step(is_allowed)

    def state(self) -> dict[str, Tensor]:
        """The state of all optimizers: tensors by `<number of the optimizer>.<index of the parameter>.<name>`."""
        return {
            f"{part.number}.{index}.{name}": value
            for part in self._all
            for index, values in part.optimizer.state_dict()["state"].items()
            for name, value in values.items()
            if value is not None
        }

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        for part in self._all:
            values: dict[int, dict[str, Tensor]] = {}
            for key, value in state.items():
                number, index, name = key.split(".", 2)
                if int(number) == part.number:
                    values.setdefault(int(index), {})[name] = _in_layout_of(part.parameters[int(index)], value)
            groups = part.optimizer.state_dict()["param_groups"]
            kept: list[dict[str, Any]] = [
                {name: value for name, value in group.items() if name != "params"}
                for group in part.optimizer.param_groups
            ]
            part.optimizer.load_state_dict({"state": values, "param_groups": groups})
            for place, saved in values.items():  # torch converts each of them to the format of the weight
                restored = part.optimizer.state[part.parameters[place]]
                restored |= {
                    key: one.to(restored[key].device) for key, one in saved.items() if restored[key].dtype != one.dtype
                }
            for group, hyperparameters in zip(part.optimizer.param_groups, kept, strict=True):
                group.update(hyperparameters)  # the tensors that recorded steps read

    def _select_parameters(self) -> None:
        self.parameters = [parameter for parameter in self._module.parameters() if parameter.requires_grad]

    def _make_all(self, graph: Graph, recipe: Recipe, *, inputs_on_device: bool) -> list[_GroupOptimizer]:
        assigned = assign(graph, recipe)
        members: dict[int | None, list[nn.Parameter]] = {}
        for path, parameter in self._module.named_parameters():
            if path in assigned:
                members.setdefault(assigned[path], []).append(parameter)
        parts: list[_GroupOptimizer] = []
        for number, parameters in members.items():
            if number is None:
                optimizer, schedule, epochs = recipe.optimizer, recipe.schedule, recipe.epochs
            else:
                group = recipe.groups[number]
                optimizer, schedule = group.optimizer, group.schedule
                epochs = recipe.epochs if group.epochs is None else group.epochs
            parts.append(
                _GroupOptimizer(
                    number=len(parts),
                    optimizer=_make(optimizer, parameters, schedule, inputs_on_device=inputs_on_device),
                    parameters=tuple(parameters),
                    lr=optimizer.lr,
                    schedule=schedule,
                    epochs=epochs,
                    steps=self._plan.steps_until(epochs),
                    momentum_argument=optimizer.momentum_argument if schedule.sets_momentum else None,
                    momentum_column=len(members) + sum(part.momentum_argument is not None for part in parts),
                )
            )
        return parts


def _in_layout_of(parameter: nn.Parameter, value: Tensor) -> Tensor:
    """A copy of `value` in the memory layout of its parameter: a fused step pairs their elements in memory order."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _replaced(old: float | Tensor, new: float | Tensor) -> float | Tensor:
    """`new`, in place if `old` is a tensor, which a recorded step reads."""
    return old.copy_(torch.as_tensor(new)) if isinstance(old, Tensor) else new


def _make(
    declared: Optimizer, parameters: list[nn.Parameter], schedule: Schedule, *, inputs_on_device: bool
) -> torch.optim.Optimizer:
    lowering = declared.lower()
    keywords = lowering.keywords()
    classes = OPTIMIZER_CLASSES
    device = parameters[0].device
    if inputs_on_device:
        assert declared.can_be_recorded
        keywords["lr"] = torch.tensor(declared.lr, device=device)
    if inputs_on_device and schedule.sets_momentum:
        assert declared.momentum_on_device
        momentum = torch.zeros((), device=device)  # set before the first step
        is_pair = declared.momentum_argument == "betas"
        keywords |= {"betas": (momentum, keywords["betas"][1])} if is_pair else {"momentum": momentum}
        classes = classes | DEVICE_CLASSES
    else:
        if declared.has_fused:
            keywords["fused"] = True  # the same arithmetic in one pass over the weights
        if inputs_on_device and declared.has_capturable and device.type == "cuda":
            keywords["capturable"] = True  # the step counter lies on the device
    optimizer: torch.optim.Optimizer = _uncompiled(resolve(lowering.target, classes))(parameters, **keywords)
    return optimizer


@cache
def _uncompiled(optimizer: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """The same optimizer, for use outside `torch.compile`, without the decorators of its methods.

    They keep torch's compiler away from the methods, and import it to do so, which takes longer than `import torch`.
    """
    decorated = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    methods = {name: inspect.unwrap(getattr(optimizer, name)) for name in decorated}
    methods["step"] = torch.no_grad()(inspect.unwrap(optimizer.step))
    methods["step"].hooked = True  # nobody registers hooks, and looking for them in each step takes time
    return type(optimizer.__name__, (optimizer,), methods)
