"""Random numbers that are functions of (seed, epoch, what for, image), with no generator that has a state.

So a batch's draws depend neither on the batches before it nor on the device, and a resumed run goes on as
if it had not stopped. A key is a number of Python, or, for steps that are recorded once and replayed in every
epoch, one that lies on the device and is exchanged between epochs. The mixing function is that of SplitMix64
(Steele et al. 2014, https://doi.org/10.1145/2660193.2660195); int64 arithmetic wraps alike on every device.
"""

import hashlib
from typing import Protocol

import torch
from attrs import define, field
from torch import Tensor

from cifar_dsl.foundation.records import frozen

_MULTIPLIER_1 = 0xBF58476D1CE4E5B9 - 2**64
_MULTIPLIER_2 = 0x94D049BB133111EB - 2**64
_GOLDEN = 0x9E3779B97F4A7C15 - 2**64


def key(seed: int, epoch: int, purpose: str) -> int:
    """A key for one purpose in one epoch."""
    digest = hashlib.sha256(f"{seed}/{epoch}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def hashed(key: int | Tensor, index: Tensor) -> Tensor:
    """Well-mixed int64 numbers: (N,) int64 -> (N,) int64."""
    x = index * _GOLDEN + key
    x = (x ^ _shift(x, 30)) * _MULTIPLIER_1
    x = (x ^ _shift(x, 27)) * _MULTIPLIER_2
    return x ^ _shift(x, 31)


def uniform(key: int | Tensor, index: Tensor) -> Tensor:
    """Numbers in [0, 1), one for each index: (N,) int64 -> (N,) float32."""
    return _shift(hashed(key, index), 40).to(torch.float32) * 2.0**-24


def integers(key: int | Tensor, index: Tensor, count: int | Tensor) -> Tensor:
    """Integers in [0, count), one for each index: (N,) int64 -> (N,) int64; each may have a count of its own."""
    return _shift(hashed(key, index), 32) % count


def permutation(seed: int, epoch: int, count: int) -> Tensor:
    """The order in which an epoch sees the images: (count,) int64, on the CPU."""
    return torch.argsort(hashed(key(seed, epoch, "order"), torch.arange(count)), stable=True)


class Keys(Protocol):
    """The keys of one seed in one epoch."""

    @property
    def is_odd(self) -> bool | Tensor:
        """Whether the epoch's number is odd."""

    def of(self, purpose: str) -> int | Tensor:
        """The key of a purpose in this epoch."""

    def always(self, purpose: str) -> int:
        """The key of a purpose that stays the same in all epochs."""


@frozen
class HostKeys:
    """Keys as numbers of Python."""

    seed: int
    epoch: int

    @property
    def is_odd(self) -> bool:
        """Whether the epoch's number is odd."""
        return self.epoch % 2 == 1

    def of(self, purpose: str) -> int:
        """The key of a purpose in this epoch."""
        return key(self.seed, self.epoch, purpose)

    def always(self, purpose: str) -> int:
        """The key of a purpose that stays the same in all epochs."""
        return key(self.seed, 0, purpose)


_MOST_KEYS = 4096


@define
class DeviceKeys:
    """Keys as numbers on the device, which `begin` exchanges for those of another epoch.

    What has been recorded with them finds the new ones in the same place.
    """

    seed: int
    device: torch.device
    epoch: int = 0
    is_odd: Tensor = field(init=False)
    _places: dict[str, int] = field(factory=dict, init=False)
    _keys: Tensor = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.is_odd = torch.zeros((), dtype=torch.bool, device=self.device)
        self._keys = torch.zeros(_MOST_KEYS, dtype=torch.int64, device=self.device)

    def begin(self, epoch: int) -> None:
        """From now on the keys are those of `epoch`."""
        self.epoch = epoch
        self.is_odd.fill_(epoch % 2 == 1)
        keys = [key(self.seed, epoch, purpose) for purpose in self._places]
        self._keys[: len(keys)].copy_(torch.tensor(keys, dtype=torch.int64))

    def of(self, purpose: str) -> Tensor:
        """The key of a purpose, () int64; one asked for the first time gets a place."""
        if purpose not in self._places:
            self._keys[len(self._places)].fill_(key(self.seed, self.epoch, purpose))
            self._places[purpose] = len(self._places)
        return self._keys[self._places[purpose]]

    def always(self, purpose: str) -> int:
        """The key of a purpose that stays the same in all epochs."""
        return key(self.seed, 0, purpose)


@frozen
class Draws:
    """What one stage of a chain of augmentations draws for the images at `index`, (N,) int64.

    `stage` is the stage's name and place. Draws for different purposes are independent.
    """

    keys: Keys
    stage: str
    index: Tensor

    def key(self, purpose: str = "") -> int | Tensor:
        """The key of one of its purposes."""
        return self.keys.of(self._purpose(purpose))

    def uniform(self, purpose: str = "") -> Tensor:
        """Numbers in [0, 1): (N,) float32."""
        return uniform(self.key(purpose), self.index)

    def integers(self, count: int | Tensor, purpose: str = "") -> Tensor:
        """Integers in [0, count): (N,) int64."""
        return integers(self.key(purpose), self.index, count)

    def uniform_always(self, purpose: str = "") -> Tensor:
        """Numbers in [0, 1) that an image keeps through all epochs: (N,) float32."""
        return uniform(self.keys.always(self._purpose(purpose)), self.index)

    def _purpose(self, purpose: str) -> str:
        return f"{self.stage} {purpose}".rstrip()


def _shift(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)
