"""Random numbers that are functions of (seed, epoch, what for, image), with no generator that has a state.

So a batch's draws depend neither on the batches before it nor on the device, and a resumed run goes on as
if it had not stopped. The mixing function is that of SplitMix64 (Steele et al. 2014,
https://doi.org/10.1145/2660193.2660195); int64 arithmetic wraps alike on every device.
"""

import hashlib

import torch
from attrs import frozen
from torch import Tensor

_MULTIPLIER_1 = 0xBF58476D1CE4E5B9 - 2**64
_MULTIPLIER_2 = 0x94D049BB133111EB - 2**64
_GOLDEN = 0x9E3779B97F4A7C15 - 2**64


def key(seed: int, epoch: int, purpose: str) -> int:
    """A key for one purpose in one epoch."""
    digest = hashlib.sha256(f"{seed}/{epoch}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def hashed(key: int, index: Tensor) -> Tensor:
    """Well-mixed int64 numbers: (N,) int64 -> (N,) int64."""
    x = index * _GOLDEN + key
    x = (x ^ _shift(x, 30)) * _MULTIPLIER_1
    x = (x ^ _shift(x, 27)) * _MULTIPLIER_2
    return x ^ _shift(x, 31)


def uniform(key: int, index: Tensor) -> Tensor:
    """Numbers in [0, 1), one for each index: (N,) int64 -> (N,) float32."""
    return _shift(hashed(key, index), 40).to(torch.float32) * 2.0**-24


def integers(key: int, index: Tensor, count: int | Tensor) -> Tensor:
    """Integers in [0, count), one for each index: (N,) int64 -> (N,) int64; each may have a count of its own."""
    return _shift(hashed(key, index), 32) % count


def permutation(seed: int, epoch: int, count: int) -> Tensor:
    """The order in which an epoch sees the images: (count,) int64, on the CPU."""
    return torch.argsort(hashed(key(seed, epoch, "order"), torch.arange(count)), stable=True)


@frozen
class Draws:
    """What one stage of a chain of augmentations draws for the images at `index`, (N,) int64.

    `stage` is the stage's name and place. Draws for different purposes are independent.
    """

    seed: int
    epoch: int
    stage: str
    index: Tensor

    def key(self, purpose: str = "") -> int:
        """The key of one of its purposes."""
        return key(self.seed, self.epoch, f"{self.stage} {purpose}".rstrip())

    def uniform(self, purpose: str = "") -> Tensor:
        """Numbers in [0, 1): (N,) float32."""
        return uniform(self.key(purpose), self.index)

    def integers(self, count: int | Tensor, purpose: str = "") -> Tensor:
        """Integers in [0, count): (N,) int64."""
        return integers(self.key(purpose), self.index, count)


def _shift(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)
