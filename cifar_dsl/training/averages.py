"""Averages of weights along the way of training, kept on the device."""

import copy
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn

from cifar_dsl.ir.recipe import Average
from cifar_dsl.training.images import Images
from cifar_dsl.training.plan import Plan

_MEASURED_TOGETHER = 500  # images in a batch when the statistics of batch norm are measured anew


class WeightAverage:
    """An average of a network's weights. Steps and epochs are counted from 1.

    What it does after a step depends on `due` alone, which is known before the step: so steps for which the same is
    due can be recorded and replayed.
    """

    def due(self, step: int) -> str:  # noqa: ARG002
        """What is to be done after a step of the whole training; "" for nothing."""
        return ""

    def after_step(self, due: str) -> None:
        """Do that."""

    def after_epoch(self, epoch: int) -> None:
        """Take note of the weights at the end of an epoch."""

    def network(self) -> nn.Module | None:
        """The network with the averaged weights, if they are what is tested."""
        return None

    def state(self) -> dict[str, Tensor]:
        """What it keeps, by names of its own."""
        raise NotImplementedError(type(self).__name__)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        raise NotImplementedError(type(self).__name__)


class Lookahead(WeightAverage):
    """Weights that are drawn back towards slow ones, which follow them; https://arxiv.org/abs/1907.08610."""

    def __init__(self, module: nn.Module, *, every: int, rate: float) -> None:
        self._every = every
        self._fast = list(module.parameters())
        self._slow = [weight.detach().clone() for weight in self._fast]
        self._approach = get_ema_multi_avg_fn(1 - rate)  # type: ignore[no-untyped-call]

    def due(self, step: int) -> str:
        """Whether fast and slow weights meet."""
        return "meet" if step % self._every == 0 else ""

    @torch.no_grad()
    def after_step(self, due: str) -> None:
        """Let them meet."""
        if due:
            self._approach(self._slow, self._fast, 0)
            for fast, slow in zip(self._fast, self._slow, strict=True):
                fast.copy_(slow)

    def state(self) -> dict[str, Tensor]:
        """The slow weights."""
        return {str(number): slow for number, slow in enumerate(self._slow)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on with these slow weights."""
        for number, slow in enumerate(self._slow):
            slow.copy_(state[str(number)])


class _Tested(WeightAverage):
    """A network of its own with averaged weights; at first there is none."""

    _update: Callable[[list[Tensor], list[Tensor], int], None]

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._averaged: nn.Module | None = None
        self._count = 0

    @torch.no_grad()
    def _take(self) -> None:
        if self._averaged is None:
            self._averaged = copy.deepcopy(self._module)
        else:
            self._update(list(self._averaged.parameters()), list(self._module.parameters()), self._count)
        self._count += 1

    def state(self) -> dict[str, Tensor]:
        """The averaged weights, if there are any yet, and of how many they are the average."""
        kept = {"count": torch.tensor(self._count)}
        if self._averaged is not None:
            kept |= {f"averaged.{name}": tensor for name, tensor in self._averaged.state_dict().items()}
        return kept

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on with these."""
        self._count = int(state["count"])
        if self._count:
            self._averaged = copy.deepcopy(self._module)
            prefix = "averaged."
            self._averaged.load_state_dict(
                {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
            )


class Ema(_Tested):
    """An exponential moving average; its buffers are those of the network that is trained."""

    def __init__(self, module: nn.Module, plan: Plan, *, decay: float, every: int, start: float) -> None:
        super().__init__(module)
        self._every = every
        self._first = plan.steps_until(start) + 1
        self._update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]

    def due(self, step: int) -> str:
        """Whether the average takes the weights as they are, or moves towards them."""
        if step < self._first or step % self._every:
            return ""
        return "move" if self._count else "begin"

    def after_step(self, due: str) -> None:
        """Do that."""
        if due:
            self._take()

    @torch.no_grad()
    def network(self) -> nn.Module | None:
        """The network with the averaged weights."""
        if self._averaged is not None:
            for averaged, trained in zip(self._averaged.buffers(), self._module.buffers(), strict=True):
                averaged.copy_(trained)
        return self._averaged


class Swa(_Tested):
    """The plain mean of the weights at the ends of epochs; statistics of batch norm are measured anew."""

    def __init__(self, module: nn.Module, images: Images, *, start: float) -> None:
        super().__init__(module)
        self._images = images
        self._start = start
        self._update = get_swa_multi_avg_fn()  # type: ignore[no-untyped-call]

    def after_epoch(self, epoch: int) -> None:
        """Let the weights take part in the mean."""
        if epoch > self._start:
            self._take()

    def network(self) -> nn.Module | None:
        """The network with the averaged weights."""
        if self._averaged is not None:
            images = self._images
            index = torch.arange(len(images), device=images.labels.device)
            # In parts of about one size: batch norm can't measure a lone image.
            parts = index.tensor_split(math.ceil(len(images) / _MEASURED_TOGETHER))
            update_bn((images.batch(part) for part in parts), self._averaged)
        return self._averaged


def make_average(average: Average, module: nn.Module, plan: Plan, images: Images) -> WeightAverage:
    """What a recipe's `average` names, for a network that is about to be trained on `images`."""
    match average.name, average.arguments():
        case "ema", keywords:
            return Ema(module, plan, **keywords)
        case "swa", keywords:
            return Swa(module, images, **keywords)
        case "lookahead", keywords:
            return Lookahead(module, **keywords)
    raise AssertionError(f"no average is called {average.name}")
