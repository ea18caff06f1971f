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
    return _whole(key, index) % count


def _whole(key: int | Tensor, index: Tensor) -> Tensor:
    """An integer in [0, 2^32) for each index: (N,) int64 -> (N,) int64."""
    return _shift(hashed(key, index), 32)


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
class Purpose:
    """What numbers are drawn for: a purpose of an augmentation, and how they are drawn."""

    name: str
    is_uniform: bool = True  # in [0, 1); or integers in [0, 2^32)
    is_inverted: bool = False  # drawn with the inverted key: the second numbers of one purpose
    is_of_seed: bool = False  # the same in all epochs

    def draw(self, keys: Keys, index: Tensor) -> Tensor:
        """A number for each index: (N,) int64 -> (N,) float32, or int64 for integers."""
        key = keys.of_seed(self.name) if self.is_of_seed else keys.of_epoch(self.name)
        return (uniform if self.is_uniform else _whole)(~key if self.is_inverted else key, index)


_TABLE_BYTES = 2**24


@define
class DrawTable:
    """The random numbers of an epoch for all images, drawn at once: a step only looks up those of its images.

    Drawing takes 16 operations for each purpose, and looking up takes one; on a GPU, each is a kernel. A purpose gets a
    row when a step asks for it first. `begin_epoch` draws all rows again, in place, so recorded steps read the new
    ones. No more than `most_bytes` are used; further purposes are drawn in each step.
    """

    images: int
    device: torch.device
    most_bytes: int = _TABLE_BYTES
    _rows: dict[Purpose, Tensor] = field(factory=dict, init=False)  # (images,) each

    def begin_epoch(self, keys: Keys) -> None:
        """Replace all rows with the numbers of an epoch."""
        if self._rows:
            index = torch.arange(self.images, device=self.device)
            for purpose, row in self._rows.items():
                row.copy_(purpose.draw(keys, index))

    def row(self, purpose: Purpose, keys: Keys) -> Tensor | None:
        """The numbers for a purpose in the epoch of `keys`: (images,). None if they aren't in the table."""
        row = self._rows.get(purpose)
        if row is None and self._has_room:
            row = self._rows[purpose] = purpose.draw(keys, torch.arange(self.images, device=self.device))
        return row

    @property
    def _has_room(self) -> bool:
        if self.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
            return False  # a replay would draw the row again in each step
        used = sum(row.nbytes for row in self._rows.values())
        return used + 8 * self.images <= self.most_bytes


@frozen
class Draws:
    """The random numbers of one augmentation for the images at `index`, (N,) int64.

    `stage` is the augmentation's position and name. Numbers for different purposes are independent. `table` has those
    of all images, if it is given; the numbers are the same without it.
    """

    keys: Keys
    stage: str
    index: Tensor
    table: DrawTable | None = None

    def uniform(self, purpose: str = "") -> Tensor:
        """A number in [0, 1) for each image: (N,) float32."""
        return self._drawn(Purpose(self._name(purpose)))

    def integers(self, count: int | Tensor, purpose: str = "", *, is_second: bool = False) -> Tensor:
        """An integer in [0, count) for each image: (N,) int64; `is_second` are other ones for the same purpose."""
        return self._drawn(Purpose(self._name(purpose), is_uniform=False, is_inverted=is_second)) % count

    def uniform_in_all_epochs(self, purpose: str = "") -> Tensor:
        """A number in [0, 1) for each image, the same in all epochs: (N,) float32."""
        return self._drawn(Purpose(self._name(purpose), is_of_seed=True))

    def _drawn(self, purpose: Purpose) -> Tensor:
        row = self.table.row(purpose, self.keys) if self.table else None
        return purpose.draw(self.keys, self.index) if row is None else row.index_select(0, self.index)

    def _name(self, purpose: str) -> str:
        return f"{self.stage} {purpose}".rstrip()


def _shift(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)
