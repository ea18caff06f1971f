"""Averages of weights over training: EMA, SWA and Lookahead. They stay on the device, in float32.

In half precision, an average would stand still: a hundredth of the difference to the weights is less than half a digit.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn

from cifar_dsl.ir.recipe import Average
from cifar_dsl.training.images import Images
from cifar_dsl.training.plan import Plan
from cifar_dsl.training.precision import in_float32
from cifar_dsl.training.step_inputs import StepInputs

_STATISTICS_BATCH = 500  # images in a batch when batch norm's statistics are recomputed


Rate = float | Tensor  # a tensor is () float32, which recorded steps read
AverageFn = Callable[[list[Tensor], list[Tensor], int], None]  # (averaged, trained, number of updates before)


class StepUpdate(Enum):
    """What an average does after a step.

    It is known before the step. Steps with the same updates launch the same kernels, so an engine can record them once.
    """

    NONE = auto()
    START = auto()  # the average becomes a copy of the weights
    BLEND = auto()  # the average moves towards the weights; Lookahead then resets the weights to it
    RESET = auto()  # Lookahead resets the weights to the average


def _blend(averaged: list[Tensor], trained: list[Tensor], rate: Rate | None, average_fn: AverageFn) -> None:
    """Move averaged weights towards the trained ones, by `rate`, or else with `average_fn`."""
    if rate is None:
        average_fn(averaged, trained, 0)
        return
    for old, new in zip(averaged, trained, strict=True):
        old.lerp_(new, rate)


class WeightAverage:
    """An average of a network's weights. Steps and epochs are counted from 1.

    `changes_rate`: whether how far the average moves in an update changes from step to step.
    """

    changes_rate: bool = False

    def rate_after(self, step: int) -> float:
        """How far the average moves towards the weights after a step, from 0 to 1, if it `changes_rate`."""
        raise NotImplementedError(type(self).__name__, step)

    def update_after(self, step: int) -> StepUpdate:  # noqa: ARG002
        """The update that follows a step of the training, counted over all epochs."""
        return StepUpdate.NONE

    def after_step(self, update: StepUpdate, rate: Rate | None = None) -> None:
        """Apply the update that `update_after` returned for the step; `rate` is that of `rate_after`, if it changes."""

    def after_epoch(self, epoch: int) -> None:
        """Update the average at the end of an epoch."""

    def network(self) -> nn.Module | None:
        """The network with the averaged weights; None if the average isn't evaluated, or has no weights yet."""
        return None

    def state(self) -> dict[str, Tensor]:
        """The tensors to save in a checkpoint, by name."""
        raise NotImplementedError(type(self).__name__)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        raise NotImplementedError(type(self).__name__)


class Lookahead(WeightAverage):
    """Slow weights follow the trained ones, which are reset to them every few steps; https://arxiv.org/abs/1907.08610."""

    def __init__(
        self, module: nn.Module, plan: Plan, *, every: int, rate: float, growth: float, statistics: bool, final: str
    ) -> None:
        self._every = every
        self._kept = 1 - rate  # of the slow weights in an update; with `growth`, in the last one
        self._growth = growth
        self._steps = plan.steps_until(plan.epochs)
        self._resets_at_the_end = final == "slow"
        self.changes_rate = growth > 0
        self._fast: list[Tensor] = list(module.parameters())
        if statistics:
            self._fast += [buffer for name, buffer in module.named_buffers() if ".running_" in name]
        # Buffers are never frozen, and their `requires_grad` is always false.
        self._always_moves = [not isinstance(tensor, nn.Parameter) for tensor in self._fast]
        self._slow = [in_float32(tensor.detach().clone()) for tensor in self._fast]
        self._average_fn = get_ema_multi_avg_fn(1 - rate)  # type: ignore[no-untyped-call]

    def update_after(self, step: int) -> StepUpdate:
        if step % self._every == 0:
            return StepUpdate.BLEND
        return StepUpdate.RESET if self._resets_at_the_end and step == self._steps else StepUpdate.NONE

    def rate_after(self, step: int) -> float:
        return 1 - self._kept * math.pow(step / self._steps, self._growth)

    @torch.no_grad()
    def after_step(self, update: StepUpdate, rate: Rate | None = None) -> None:
        if update is StepUpdate.NONE:
            return
        # The weights of a group whose epochs are over stand still.
        triples = zip(self._slow, self._fast, self._always_moves, strict=True)
        pairs = [(slow, fast) for slow, fast, always in triples if always or fast.requires_grad]
        if pairs and update is StepUpdate.BLEND:
            _blend([slow for slow, _ in pairs], [in_float32(fast) for _, fast in pairs], rate, self._average_fn)
        for slow, fast in pairs:
            fast.copy_(slow)

    def state(self) -> dict[str, Tensor]:
        return {str(number): slow for number, slow in enumerate(self._slow)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for number, slow in enumerate(self._slow):
            slow.copy_(state[str(number)])


class _AveragedNetwork(WeightAverage):
    """A second network with the averaged weights, made at the first update."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._averaged: nn.Module | None = None

    @property
    def _count(self) -> int:
        """The number of updates so far, or 1 where only the first one matters: recorded steps can't count."""
        return int(self._averaged is not None)

    @torch.no_grad()
    def _update(self, average: Callable[[list[Tensor], list[Tensor]], None]) -> None:
        if self._averaged is None:
            self._averaged = self._copy_of_network()
        else:
            trained = [in_float32(parameter) for parameter in self._module.parameters()]
            average(list(self._averaged.parameters()), trained)

    def _copy_of_network(self) -> nn.Module:
        """A copy of the trained network, in float32."""
        copied = copy.deepcopy(self._module)
        for parameter in copied.parameters():
            parameter.data = in_float32(parameter.data)
        return copied

    @torch.no_grad()
    def _copy_buffers(self, averaged: nn.Module) -> None:
        for copied, trained in zip(averaged.buffers(), self._module.buffers(), strict=True):
            copied.copy_(trained)

    def state(self) -> dict[str, Tensor]:
        tensors = {"count": torch.tensor(self._count)}
        if self._averaged is not None:
            tensors |= {f"averaged.{name}": tensor for name, tensor in self._averaged.state_dict().items()}
        return tensors

    def restore(self, state: Mapping[str, Tensor]) -> None:
        if state["count"]:
            self._averaged = self._copy_of_network()
            prefix = "averaged."
            self._averaged.load_state_dict(
                {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
            )


class Ema(_AveragedNetwork):
    """An exponential moving average of the weights. Its buffers are copies of the trained network's."""

    def __init__(
        self, module: nn.Module, plan: Plan, *, decay: float, every: int, start: float, warmup_power: float
    ) -> None:
        super().__init__(module)
        self._every = every
        self._decay = decay
        self._warmup_power = warmup_power
        self.changes_rate = warmup_power > 0
        self._first_step = plan.steps_until(start) + 1
        self._average_fn = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]

    def update_after(self, step: int) -> StepUpdate:
        if step < self._first_step or step % self._every:
            return StepUpdate.NONE
        return StepUpdate.START if self._averaged is None else StepUpdate.BLEND

    def rate_after(self, step: int) -> float:
        update = step // self._every - (self._first_step - 1) // self._every  # counted from 1
        return max(1 - self._decay, math.pow(max(1, update), -self._warmup_power))

    def after_step(self, update: StepUpdate, rate: Rate | None = None) -> None:
        if update is not StepUpdate.NONE:
            self._update(lambda averaged, trained: _blend(averaged, trained, rate, self._average_fn))

    @torch.no_grad()
    def network(self) -> nn.Module | None:
        if self._averaged is not None:
            self._copy_buffers(self._averaged)
        return self._averaged


class Swa(_AveragedNetwork):
    """The mean of the weights at the ends of epochs. Batch norm's statistics are recomputed for them."""

    def __init__(self, module: nn.Module, images: Images, *, start: float) -> None:
        super().__init__(module)
        self._images = images
        self._start = start
        self._epochs = 0  # averaged so far
        self._average_fn: AverageFn = get_swa_multi_avg_fn()  # type: ignore[no-untyped-call]

    @property
    def _count(self) -> int:
        return self._epochs

    def after_epoch(self, epoch: int) -> None:
        if epoch > self._start:
            self._update(lambda averaged, trained: self._average_fn(averaged, trained, self._epochs))
            self._epochs += 1

    def restore(self, state: Mapping[str, Tensor]) -> None:
        super().restore(state)
        self._epochs = int(state["count"])

    def network(self) -> nn.Module | None:
        if self._averaged is not None:
            self._copy_buffers(self._averaged)
            images = self._images
            index = torch.arange(len(images), device=images.labels.device)
            # Batches of about equal size: batch norm can't compute statistics of a single image.
            parts = index.tensor_split(math.ceil(len(images) / _STATISTICS_BATCH))
            update_bn((images.batch(part) for part in parts), self._averaged)
        return self._averaged


def make_average(average: Average, module: nn.Module, plan: Plan, images: Images) -> WeightAverage:
    """The average that a recipe declares, for a new network that trains on `images`."""
    match average.name, average.arguments():
        case "ema", keywords:
            return Ema(module, plan, **keywords)
        case "swa", keywords:
            return Swa(module, images, **keywords)
        case "lookahead", keywords:
            return Lookahead(module, plan, **keywords)
    raise AssertionError(f"unknown average {average.name}")


class Averages:
    """The averages of a recipe for one network, in order."""

    def __init__(
        self, declared: Sequence[Average], module: nn.Module, plan: Plan, images: Images, first_column: int
    ) -> None:
        self._plan = plan
        self._all = [make_average(average, module, plan, images) for average in declared]
        self._changing = [average for average in self._all if average.changes_rate]
        self._columns = {average: first_column + place for place, average in enumerate(self._changing)}

    @property
    def columns(self) -> int:
        """The number of columns of `hyperparameters`."""
        return len(self._changing)

    def hyperparameters(self, epoch: int) -> list[list[float]]:
        """The rates that change, in each step of an epoch: [step][column]. Columns count from `first_column`."""
        done = (epoch - 1) * self._plan.steps
        steps = range(done + 1, done + 1 + self._plan.steps_in(epoch))
        return [[average.rate_after(step) for average in self._changing] for step in steps]

    def updates_after(self, step: int) -> tuple[StepUpdate, ...]:
        """The updates that follow a step of the training, counted over all epochs from 1."""
        return tuple(average.update_after(step) for average in self._all)

    def after_step(self, updates: tuple[StepUpdate, ...], inputs: StepInputs) -> None:
        """Apply the updates that `updates_after` returned for the step, with the rates of `inputs`."""
        for average, update in zip(self._all, updates, strict=True):
            column = self._columns.get(average)
            average.after_step(update, None if column is None else inputs.hyperparameter(column))

    def after_epoch(self, epoch: int) -> None:
        """Update the averages at the end of an epoch."""
        for average in self._all:
            average.after_epoch(epoch)

    def network(self) -> nn.Module | None:
        """The network with the averaged weights; None if none is evaluated, or has no weights yet."""
        networks = [average.network() for average in self._all]
        return next((network for network in networks if network is not None), None)

    def state(self) -> dict[str, Tensor]:
        """The tensors to save in a checkpoint: `<number of the average>.<name>`."""
        return {
            f"{number}.{name}": value for number, one in enumerate(self._all) for name, value in one.state().items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        for number, average in enumerate(self._all):
            prefix = f"{number}."
            average.restore({name.removeprefix(prefix): one for name, one in state.items() if name.startswith(prefix)})
