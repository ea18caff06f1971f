"""Augmentations that make one picture of two: values (N, H, W, C) float32 of both -> their mixture, and shares.

The share (N,) is what of the picture is the image's own.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from cifar_dsl.training.augmentation.moves import rectangle
from cifar_dsl.training.draws import Draws

_BETA_VALUES = 2**16
_BETA_NODES = 2**14


def mixup(own: Tensor, other: Tensor, drawn: Draws, *, alpha: float, p: float) -> tuple[Tensor, Tensor]:
    """The weighted mean of both."""
    share = _share(drawn, alpha, p)
    return other.lerp(own, share[:, None, None, None]), share


def cutmix(own: Tensor, other: Tensor, drawn: Draws, *, alpha: float, p: float) -> tuple[Tensor, Tensor]:
    """A rectangle of the other in the own; around a random pixel, at the border a part of it."""
    _, height, width, _ = own.shape
    side = (1 - _share(drawn, alpha, p)).sqrt()
    rows, columns = (height * side).long(), (width * side).long()
    middle_row, middle_column = drawn.integers(height, "row"), drawn.integers(width, "column")
    top, left = middle_row - rows // 2, middle_column - columns // 2
    bottom, right = middle_row + rows // 2, middle_column + columns // 2
    is_other = rectangle(height, width, top, left, bottom, right)
    share = 1 - is_other.sum((1, 2)).to(torch.float32) / (height * width)
    return torch.where(is_other[..., None], other, own), share


def _share(drawn: Draws, alpha: float, p: float) -> Tensor:
    """What of each image is its own, before rounding to pixels: (N,) float32."""
    share = _beta_on(alpha, drawn.index.device)[drawn.integers(_BETA_VALUES, "share")]
    return torch.where(drawn.uniform() < p, share, 1.0)


@cache
def _beta_on(alpha: float, device: torch.device) -> Tensor:
    return beta_values(alpha).to(device)


def beta_values(alpha: float) -> Tensor:
    """Equally likely values that stand for Beta(alpha, alpha), in rising order: (65536,) float32.

    Drawing one of them takes a uniform number and no rejection. They are the middles of as many parts of equal
    probability, found by integrating the density x^(alpha-1) (1-x)^(alpha-1) over [0, 1/2]; the rest is its mirror
    image. Where alpha < 1 the density has a pole at 0, which the substitution s = x^alpha removes.
    """
    power = min(alpha, 1.0)
    nodes = np.linspace(0, 0.5**power, _BETA_NODES + 1)  # of s = x^power
    abscissas, weights = np.polynomial.legendre.leggauss(4)
    width = nodes[1]
    s = nodes[:-1, None] + width * (1 + abscissas) / 2
    x = s ** (1 / power)
    density = x ** (alpha - power) * (1 - x) ** (alpha - 1)
    cumulated = np.concatenate([[0.0], (density @ weights).cumsum()])
    middles = (np.arange(_BETA_VALUES // 2) + 0.5) / (_BETA_VALUES // 2)
    # x^alpha rises almost evenly with the probability, so that straight lines between the nodes will do.
    lower = np.interp(middles, cumulated / cumulated[-1], nodes ** (alpha / power)) ** (1 / alpha)
    return torch.from_numpy(np.concatenate([lower, 1 - lower[::-1]]).astype(np.float32))


MIXTURES: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {"mixup": mixup, "cutmix": cutmix}
