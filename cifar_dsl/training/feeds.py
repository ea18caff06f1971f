"""What differs from one step to the next: the images, the learning rates, the keys of draws.

A step asks its feed for them and moves it on. So a step can be run again and again on Python's numbers, or be
recorded once, as a graph of kernels, and replayed: then everything that changes lies on the device.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from attrs import define, field
from torch import Tensor

from cifar_dsl.training.draws import DeviceKeys, HostKeys, Keys

Rates = Sequence[Sequence[float]]  # of each step of an epoch, for each of the recipe's optimizers


class Feed(Protocol):
    """What the steps of one epoch are fed with."""

    @property
    def keys(self) -> Keys:
        """The keys of the epoch's draws."""

    def begin(self, epoch: int, order: Tensor, rates: Rates, step: int, place: int) -> None:
        """Feed an epoch whose images come in `order`, (N,) int64, from its `step`, which begins with image `place`."""

    def take(self, count: int) -> Tensor:
        """The next images: (count,) int64."""

    def rate(self, number: int) -> float | Tensor:
        """The rate of the optimizer of this number at this step."""

    def advance(self) -> None:
        """Go on to the next step."""


@define
class HostFeed:
    """Feeds steps that are run one by one."""

    seed: int
    device: torch.device
    keys: HostKeys = field(init=False)
    _order: Tensor = field(init=False)
    _rates: Rates = field(default=(), init=False)
    _step: int = field(default=0, init=False)
    _place: int = field(default=0, init=False)

    def begin(self, epoch: int, order: Tensor, rates: Rates, step: int, place: int) -> None:
        """See `Feed`."""
        self.keys = HostKeys(self.seed, epoch)
        self._order, self._rates = order.to(self.device), rates
        self._step, self._place = step, place

    def take(self, count: int) -> Tensor:
        """See `Feed`."""
        index = self._order[self._place : self._place + count]
        self._place += count
        return index

    def rate(self, number: int) -> float:
        """See `Feed`."""
        return self._rates[self._step][number]

    def advance(self) -> None:
        """See `Feed`."""
        self._step += 1


@define
class DeviceFeed:
    """Feeds recorded steps: order, rates and place lie on the device, always at the same addresses."""

    seed: int
    device: torch.device
    keys: DeviceKeys = field(init=False)
    _order: Tensor | None = field(default=None, init=False)
    _rates: Tensor | None = field(default=None, init=False)
    _step: Tensor = field(init=False)
    _place: Tensor = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.keys = DeviceKeys(self.seed, self.device)
        self._step = torch.zeros(1, dtype=torch.int64, device=self.device)
        self._place = torch.zeros(1, dtype=torch.int64, device=self.device)

    def begin(self, epoch: int, order: Tensor, rates: Rates, step: int, place: int) -> None:
        """See `Feed`. No later epoch may be longer than the first."""
        table = torch.tensor(rates, dtype=torch.float32)
        if self._order is None or self._rates is None:
            self._order, self._rates = order.to(self.device, copy=True), table.to(self.device)
        else:
            self._order[: len(order)].copy_(order)
            self._rates[: len(table)].copy_(table)
        self.keys.begin(epoch)
        self._step.fill_(step)
        self._place.fill_(place)

    def take(self, count: int) -> Tensor:
        """See `Feed`."""
        assert self._order is not None
        index = self._order.index_select(0, self._place + torch.arange(count, device=self.device))
        self._place += count
        return index

    def rate(self, number: int) -> Tensor:
        """See `Feed`: () float32."""
        assert self._rates is not None
        return self._rates.index_select(0, self._step)[0, number]

    def advance(self) -> None:
        """See `Feed`."""
        self._step += 1
