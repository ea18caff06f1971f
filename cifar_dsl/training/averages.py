"""Averages of weights over training: EMA, SWA and Lookahead. They stay on the device."""

import copy
import math
from collections.abc import Callable, Mapping
from enum import Enum, auto

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn

from cifar_dsl.ir.recipe import Average
from cifar_dsl.training.images import Images
from cifar_dsl.training.plan import Plan

_STATISTICS_BATCH = 500  # images in a batch when batch norm's statistics are recomputed


class StepUpdate(Enum):
    """What an average does after a step.

    It is known before the step. Steps with the same updates launch the same kernels, so an engine can record them once.
    """

    NONE = auto()
    START = auto()  # the average becomes a copy of the weights
    BLEND = auto()  # the average moves towards the weights; Lookahead then resets the weights to it


class WeightAverage:
    """An average of a network's weights. Steps and epochs are counted from 1."""

    def update_after(self, step: int) -> StepUpdate:  # noqa: ARG002
        """The update that follows a step of the training, counted over all epochs."""
        return StepUpdate.NONE

    def after_step(self, update: StepUpdate) -> None:
        """Apply the update that `update_after` returned for the step."""

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

    def __init__(self, module: nn.Module, *, every: int, rate: float) -> None:
        self._every = every
        self._fast = list(module.parameters())
        self._slow = [weight.detach().clone() for weight in self._fast]
        self._average_fn = get_ema_multi_avg_fn(1 - rate)  # type: ignore[no-untyped-call]

    def update_after(self, step: int) -> StepUpdate:
        return StepUpdate.BLEND if step % self._every == 0 else StepUpdate.NONE

    @torch.no_grad()
    def after_step(self, update: StepUpdate) -> None:
        if update is StepUpdate.BLEND:
            # The weights of a group whose epochs are over stand still.
            pairs = [pair for pair in zip(self._slow, self._fast, strict=True) if pair[1].requires_grad]
            if pairs:
                self._average_fn([slow for slow, _ in pairs], [fast for _, fast in pairs], 0)
            for slow, fast in pairs:
                fast.copy_(slow)

    def state(self) -> dict[str, Tensor]:
        return {str(number): slow for number, slow in enumerate(self._slow)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for number, slow in enumerate(self._slow):
            slow.copy_(state[str(number)])


class _AveragedNetwork(WeightAverage):
    """A second network with the averaged weights, made at the first update. Subclasses set `_average_fn`."""

    _average_fn: Callable[[list[Tensor], list[Tensor], int], None]  # (averaged, trained, number of updates before)

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._averaged: nn.Module | None = None
        self._updates = 0

    @torch.no_grad()
    def _update(self) -> None:
        if self._averaged is None:
            self._averaged = copy.deepcopy(self._module)
        else:
            self._average_fn(list(self._averaged.parameters()), list(self._module.parameters()), self._updates)
        self._updates += 1

    def state(self) -> dict[str, Tensor]:
        tensors = {"count": torch.tensor(self._updates)}
        if self._averaged is not None:
            tensors |= {f"averaged.{name}": tensor for name, tensor in self._averaged.state_dict().items()}
        return tensors

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._updates = int(state["count"])
        if self._updates:
            self._averaged = copy.deepcopy(self._module)
            prefix = "averaged."
            self._averaged.load_state_dict(
                {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
            )


class Ema(_AveragedNetwork):
    """An exponential moving average of the weights. Its buffers are copies of the trained network's."""

    def __init__(self, module: nn.Module, plan: Plan, *, decay: float, every: int, start: float) -> None:
        super().__init__(module)
        self._every = every
        self._first_step = plan.steps_until(start) + 1
        self._average_fn = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]

    def update_after(self, step: int) -> StepUpdate:
        if step < self._first_step or step % self._every:
            return StepUpdate.NONE
        return StepUpdate.BLEND if self._updates else StepUpdate.START

    def after_step(self, update: StepUpdate) -> None:
        if update is not StepUpdate.NONE:
            self._update()

    @torch.no_grad()
    def network(self) -> nn.Module | None:
        if self._averaged is not None:
            for averaged, trained in zip(self._averaged.buffers(), self._module.buffers(), strict=True):
                averaged.copy_(trained)
        return self._averaged


class Swa(_AveragedNetwork):
    """The mean of the weights at the ends of epochs. Batch norm's statistics are recomputed for them."""

    def __init__(self, module: nn.Module, images: Images, *, start: float) -> None:
        super().__init__(module)
        self._images = images
        self._start = start
        self._average_fn = get_swa_multi_avg_fn()  # type: ignore[no-untyped-call]

    def after_epoch(self, epoch: int) -> None:
        if epoch > self._start:
            self._update()

    def network(self) -> nn.Module | None:
        if self._averaged is not None:
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
            return Lookahead(module, **keywords)
    raise AssertionError(f"unknown average {average.name}")
