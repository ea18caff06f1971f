"""The inputs of a training step that change from step to step: image indices, hyperparameters and random keys.

A step reads them from its `StepInputs` and then advances those. `engines` shows an example. `HostInputs` and
`DeviceInputs` hold the same values; the first as Python numbers, the second in tensors on the device, where a recorded
step finds them at fixed addresses.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from cifar_dsl.foundation.records import define, field
from cifar_dsl.training.draws import DeviceKeys, HostKeys, Keys

# What changes in one epoch: hyperparameters[step][column]. Learning rates and momenta have the first columns, which
# `Optimizers` assigns, rates of averages the next ones (`Averages`), and what modules drop by the last (`Drops`).
Hyperparameters = Sequence[Sequence[float]]


class StepInputs(Protocol):
    """The inputs for the steps of one network, an epoch at a time."""

    @property
    def keys(self) -> Keys:
        """The keys of the epoch's random numbers."""

    def begin_epoch(
        self, epoch: int, order: Tensor, hyperparameters: Hyperparameters, step: int, position: int
    ) -> None:
        """Start or resume an epoch, counted from 1.

        `order` is (N,) int64: the indices of the epoch's images. `step` is the next step, counted from 0, and
        `position` where in `order` its images begin.
        """

    def next_images(self, count: int) -> Tensor:
        """The indices of the next images: (count,) int64."""

    def hyperparameter(self, column: int) -> float | Tensor:
        """A number of this step, such as a learning rate: a Python number, or () float32 on the device."""

    def advance(self) -> None:
        """Move to the next step."""


@define
class HostInputs:
    """Inputs as Python numbers, for steps that are called each time."""

    seed: int
    device: torch.device
    keys: HostKeys = field(init=False)
    _order: Tensor = field(init=False)
    _hyperparameters: Hyperparameters = field(default=(), init=False)
    _step: int = field(default=0, init=False)
    _position: int = field(default=0, init=False)

    def begin_epoch(
        self, epoch: int, order: Tensor, hyperparameters: Hyperparameters, step: int, position: int
    ) -> None:
        self.keys = HostKeys(self.seed, epoch)
        self._order, self._hyperparameters = order.to(self.device), hyperparameters
        self._step, self._position = step, position

    def next_images(self, count: int) -> Tensor:
        index = self._order[self._position : self._position + count]
        self._position += count
        return index

    def hyperparameter(self, column: int) -> float:
        return self._hyperparameters[self._step][column]

    def advance(self) -> None:
        self._step += 1


@define
class DeviceInputs:
    """Inputs in device tensors, which keep their addresses from epoch to epoch, for recorded steps."""

    seed: int
    device: torch.device
    keys: DeviceKeys = field(init=False)
    _order: Tensor | None = field(default=None, init=False)  # (N,) int64
    _hyperparameters: Tensor | None = field(default=None, init=False)  # (steps, columns) float32
    _step: Tensor = field(init=False)  # (1,) int64, as is the position
    _position: Tensor = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.keys = DeviceKeys(self.seed, self.device)
        self._step = torch.zeros(1, dtype=torch.int64, device=self.device)
        self._position = torch.zeros(1, dtype=torch.int64, device=self.device)

    def begin_epoch(
        self, epoch: int, order: Tensor, hyperparameters: Hyperparameters, step: int, position: int
    ) -> None:
        """Start or resume an epoch, as in `StepInputs`. No later epoch may be longer than the first."""
        table = torch.tensor(hyperparameters, dtype=torch.float32)
        if self._order is None or self._hyperparameters is None:
            self._order, self._hyperparameters = order.to(self.device, copy=True), table.to(self.device)
        else:
            self._order[: len(order)].copy_(order)
            self._hyperparameters[: len(table)].copy_(table)
        self.keys.begin_epoch(epoch)
        self._step.fill_(step)
        self._position.fill_(position)

    def next_images(self, count: int) -> Tensor:
        assert self._order is not None
        index = self._order.index_select(0, self._position + torch.arange(count, device=self.device))
        self._position += count
        return index

    def hyperparameter(self, column: int) -> Tensor:
        assert self._hyperparameters is not None
        return self._hyperparameters.index_select(0, self._step)[0, column]

    def advance(self) -> None:
        self._step += 1
