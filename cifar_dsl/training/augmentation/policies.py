"""Torchvision's policies: random operations on each image, (N, H, W, 3) uint8 -> the same shape.

Operations, magnitudes and probabilities are torchvision's. What is drawn is ours: functions of (seed, epoch, image).
"""

from collections.abc import Callable
from functools import cache
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from cifar_dsl.foundation.records import frozen
from cifar_dsl.training.augmentation.table import Operation, Table, table_of
from cifar_dsl.training.draws import Draws

_OPERATIONS = (
    "Identity",
    "ShearX",
    "ShearY",
    "TranslateX",
    "TranslateY",
    "Rotate",
    "Brightness",
    "Color",
    "Contrast",
    "Sharpness",
    "Posterize",
    "Solarize",
    "AutoContrast",
    "Equalize",
)
_SIGNS = (1, -1)

# The policy learned on CIFAR-10: of each pair's operations, the probability and the number of the magnitude.
_PAIRS: tuple[tuple[tuple[str, float, int], tuple[str, float, int]], ...] = (
    (("Invert", 0.1, 0), ("Contrast", 0.2, 6)),
    (("Rotate", 0.7, 2), ("TranslateX", 0.3, 9)),
    (("Sharpness", 0.8, 1), ("Sharpness", 0.9, 3)),
    (("ShearY", 0.5, 8), ("TranslateY", 0.7, 9)),
    (("AutoContrast", 0.5, 0), ("Equalize", 0.9, 0)),
    (("ShearY", 0.2, 7), ("Posterize", 0.3, 7)),
    (("Color", 0.4, 3), ("Brightness", 0.6, 7)),
    (("Sharpness", 0.3, 9), ("Brightness", 0.7, 9)),
    (("Equalize", 0.6, 0), ("Equalize", 0.5, 0)),
    (("Contrast", 0.6, 7), ("Sharpness", 0.6, 5)),
    (("Color", 0.7, 7), ("TranslateX", 0.5, 8)),
    (("Equalize", 0.3, 0), ("AutoContrast", 0.4, 0)),
    (("TranslateY", 0.4, 3), ("Sharpness", 0.2, 6)),
    (("Brightness", 0.9, 6), ("Color", 0.2, 8)),
    (("Solarize", 0.5, 2), ("Invert", 0.0, 0)),
    (("Equalize", 0.2, 0), ("AutoContrast", 0.6, 0)),
    (("Equalize", 0.2, 0), ("Equalize", 0.6, 0)),
    (("Color", 0.9, 9), ("Equalize", 0.6, 0)),
    (("AutoContrast", 0.8, 0), ("Solarize", 0.2, 8)),
    (("Brightness", 0.1, 3), ("Color", 0.7, 0)),
    (("Solarize", 0.4, 5), ("AutoContrast", 0.9, 0)),
    (("TranslateY", 0.9, 9), ("TranslateY", 0.7, 9)),
    (("AutoContrast", 0.9, 0), ("Solarize", 0.8, 3)),
    (("Equalize", 0.8, 0), ("Invert", 0.1, 0)),
    (("TranslateY", 0.7, 9), ("AutoContrast", 0.9, 0)),
)


@frozen
class Space:
    """The magnitudes of a policy: a number of them, evenly spaced from none to the strongest of each operation."""

    count: int
    shear: float
    translate_x: float
    translate_y: float
    rotate: float  # degrees
    enhance: float
    bits: int  # that the strongest `Posterize` removes

    def operation(self, name: str, number: int, sign: int = 1) -> Operation:
        """An operation with a magnitude by its number; the sign counts where the operation has two directions."""
        match name:
            case "ShearX" | "ShearY":
                return Operation(name, sign * self._between(0, self.shear, number))
            case "TranslateX":
                return Operation(name, sign * int(self._between(0, self.translate_x, number)))
            case "TranslateY":
                return Operation(name, sign * int(self._between(0, self.translate_y, number)))
            case "Rotate":
                return Operation(name, sign * self._between(0, self.rotate, number))
            case "Brightness" | "Color" | "Contrast" | "Sharpness":
                return Operation(name, sign * self._between(0, self.enhance, number))
            case "Posterize":
                return Operation(name, round(8 - self.bits * number / (self.count - 1)))
            case "Solarize":
                return Operation(name, self._between(1, 0, number))
            case _:
                return Operation(name)

    def _between(self, first: float, last: float, number: int) -> float:
        """A magnitude in single precision, as torch.linspace computes it: from the nearer end."""
        intervals = self.count - 1
        step = np.float32(last - first) / np.float32(intervals)
        if number < self.count // 2:
            return float(np.float32(first + float(step) * number))
        return float(np.float32(float(np.float32(last)) - float(step) * (intervals - number)))


def narrow_space(count: int, height: int, width: int) -> Space:
    """The magnitudes of RandAugment and AutoAugment for images of a size."""
    return Space(count, 0.3, 150 / 331 * width, 150 / 331 * height, 30, 0.9, 4)


WIDE_SPACE = Space(31, 0.99, 32, 32, 135, 0.99, 6)


def randaugment(values: Tensor, drawn: Draws, *, ops: int, magnitude: int) -> Tensor:
    """Apply torchvision's RandAugment."""
    _, height, width, _ = values.shape
    table = _randaugment_table(magnitude, height, width, values.device)
    for number in range(ops):
        values = table.applied(values, drawn.integers(table.rows, f"operation {number}"))
    return values


def trivial_augment(values: Tensor, drawn: Draws) -> Tensor:
    """Apply torchvision's TrivialAugmentWide."""
    _, height, width, _ = values.shape
    table = _trivial_augment_table(height, width, values.device)
    return table.applied(values, drawn.integers(table.rows, "operation"))


def autoaugment(values: Tensor, drawn: Draws) -> Tensor:
    """Apply torchvision's AutoAugment with its policy for CIFAR-10."""
    _, height, width, _ = values.shape
    table, probabilities = _autoaugment_table(height, width, values.device)
    pair = drawn.integers(len(_PAIRS), "pair")
    for number, probability in enumerate(probabilities.index_select(0, pair).unbind(1)):
        # One number decides whether the operation applies, and in which of two equally likely directions.
        share = drawn.uniform(f"operation {number}")
        outcome = (share >= probability / 2).long() + (share >= probability)
        values = table.applied(values, (2 * pair + number) * 3 + outcome)
    return values


# Equally likely rows stand for equally likely operations; the number and the sign of the magnitude are drawn with them.


@cache
def _randaugment_table(magnitude: int, height: int, width: int, device: torch.device) -> Table:
    space = narrow_space(31, height, width)
    rows = [space.operation(name, magnitude, sign) for name in _OPERATIONS for sign in _SIGNS]
    return table_of(rows, height, width, device)


@cache
def _trivial_augment_table(height: int, width: int, device: torch.device) -> Table:
    numbers = range(WIDE_SPACE.count)
    rows = [WIDE_SPACE.operation(name, number, sign) for name in _OPERATIONS for number in numbers for sign in _SIGNS]
    return table_of(rows, height, width, device)


@cache
def _autoaugment_table(height: int, width: int, device: torch.device) -> tuple[Table, Tensor]:
    """The table and the probabilities of each pair's operations, (25, 2) float32.

    Each operation of each pair has three rows: one for either direction, and one that changes nothing.
    """
    space, rows = narrow_space(10, height, width), []
    for name, _, number in chain.from_iterable(_PAIRS):
        rows += [*(space.operation(name, number, sign) for sign in _SIGNS), Operation("Identity")]
    probabilities = np.array([[probability for _, probability, _ in pair] for pair in _PAIRS], np.float32)
    return table_of(rows, height, width, device), torch.from_numpy(probabilities).to(device)


POLICIES: dict[str, Callable[..., Tensor]] = {
    "randaugment": randaugment,
    "trivial_augment": trivial_augment,
    "autoaugment": autoaugment,
}
