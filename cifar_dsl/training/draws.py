"""Random numbers as a function of (seed, epoch, purpose, image), without a generator that has a state.

A batch's random numbers depend neither on earlier batches nor on the device, so a resumed run draws the numbers of an
uninterrupted one. A key combines seed, epoch and purpose. It is a Python number, or, for recorded steps, a number on
the device that changes between epochs. The mixing function is that of SplitMix64 (Steele et al. 2014,
https://doi.org/10.1145/2660193.2660195); int64 arithmetic wraps the same way on every device.
"""

import hashlib
from typing import Protocol

import torch
from torch import Tensor

from cifar_dsl.foundation.records import define, field, frozen

_MULTIPLIER_1 = 0xBF58476D1CE4E5B9 - 2**64
_MULTIPLIER_2 = 0x94D049BB133111EB - 2**64
_GOLDEN = 0x9E3779B97F4A7C15 - 2**64


def key(seed: int, epoch: int, purpose: str) -> int:
    """The key for a seed, an epoch and a purpose, such as "order"."""
    digest = hashlib.sha256(f"{seed}/{epoch}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def hashed(key: int | Tensor, index: Tensor) -> Tensor:
    """Hash each index with the key: (N,) int64 -> (N,) int64, uniform over all int64."""
    x = index * _GOLDEN + key
    x = (x ^ _shift(x, 30)) * _MULTIPLIER_1
    x = (x ^ _shift(x, 27)) * _MULTIPLIER_2
    return x ^ _shift(x, 31)


def uniform(key: int | Tensor, index: Tensor) -> Tensor:
    """A number in [0, 1) for each index: (N,) int64 -> (N,) float32."""
    return _shift(hashed(key, index), 40).to(torch.float32) * 2.0**-24


def integers(key: int | Tensor, index: Tensor, count: int | Tensor) -> Tensor:
    """An integer in [0, count) for each index: (N,) int64 -> (N,) int64. `count` is one number, or (N,) int64."""
    return _shift(hashed(key, index), 32) % count


def permutation(seed: int, epoch: int, count: int) -> Tensor:
    """The order of the images in an epoch: (count,) int64, on the CPU."""
    return torch.argsort(hashed(key(seed, epoch, "order"), torch.arange(count)), stable=True)


class Keys(Protocol):
    """The keys of one seed in one epoch. An odd epoch has an odd number, counted from 1."""

    @property
    def is_odd(self) -> bool | Tensor:
        """Whether the epoch is odd."""

    def of_epoch(self, purpose: str) -> int | Tensor:
        """The key for a purpose in this epoch."""

    def of_seed(self, purpose: str) -> int:
        """The key for a purpose that is the same in all epochs."""


@frozen
class HostKeys:
    """Keys as Python numbers."""

    seed: int
    epoch: int

    @property
    def is_odd(self) -> bool:
        return self.epoch % 2 == 1

    def of_epoch(self, purpose: str) -> int:
        return key(self.seed, self.epoch, purpose)

    def of_seed(self, purpose: str) -> int:
        return key(self.seed, 0, purpose)


_MAX_KEYS = 4096


@define
class DeviceKeys:
    """Keys as numbers on the device. `begin_epoch` overwrites them in place, so recorded steps read the new ones."""

    seed: int
    device: torch.device
    epoch: int = 0
    is_odd: Tensor = field(init=False)
    _slots: dict[str, int] = field(factory=dict, init=False)  # by purpose
    _keys: Tensor = field(init=False)  # (_MAX_KEYS,) int64

    def __attrs_post_init__(self) -> None:
        self.is_odd = torch.zeros((), dtype=torch.bool, device=self.device)
        self._keys = torch.zeros(_MAX_KEYS, dtype=torch.int64, device=self.device)

    def begin_epoch(self, epoch: int) -> None:
        """Replace all keys with those of `epoch`."""
        self.epoch = epoch
        self.is_odd.fill_(epoch % 2 == 1)
        keys = [key(self.seed, epoch, purpose) for purpose in self._slots]
        self._keys[: len(keys)].copy_(torch.tensor(keys, dtype=torch.int64))

    def of_epoch(self, purpose: str) -> Tensor:
        """The key for a purpose in this epoch: () int64. A new purpose gets the next slot."""
        if purpose not in self._slots:
            self._keys[len(self._slots)].fill_(key(self.seed, self.epoch, purpose))
            self._slots[purpose] = len(self._slots)
        return self._keys[self._slots[purpose]]

    def of_seed(self, purpose: str) -> int:
        return key(self.seed, 0, purpose)


@frozen
class Draws:
    """The random numbers of one augmentation for the images at `index`, (N,) int64.

    `stage` is the augmentation's position and name. Numbers for different purposes are independent.
    """

    keys: Keys
    stage: str
    index: Tensor

    def key(self, purpose: str = "") -> int | Tensor:
        """The key for a purpose of this augmentation."""
        return self.keys.of_epoch(self._purpose(purpose))

    def uniform(self, purpose: str = "") -> Tensor:
        """A number in [0, 1) for each image: (N,) float32."""
        return uniform(self.key(purpose), self.index)

    def integers(self, count: int | Tensor, purpose: str = "") -> Tensor:
        """An integer in [0, count) for each image: (N,) int64."""
        return integers(self.key(purpose), self.index, count)

    def uniform_in_all_epochs(self, purpose: str = "") -> Tensor:
        """A number in [0, 1) for each image, the same in all epochs: (N,) float32."""
        return uniform(self.keys.of_seed(self._purpose(purpose)), self.index)

    def _purpose(self, purpose: str) -> str:
        return f"{self.stage} {purpose}".rstrip()


def _shift(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)
