"""Augmentations that combine two images: `own` and `other`, (N, H, W, C) float32 -> the mixture and the shares.

A share, (N,) float32, is the fraction of the mixture that comes from `own`.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from cifar_dsl.training.augmentation.moves import rectangle
from cifar_dsl.training.draws import Draws

_BETA_VALUES = 2**16  # equally likely values per distribution
_BETA_NODES = 2**14  # of the numerical integration


def mixup(own: Tensor, other: Tensor, drawn: Draws, *, alpha: float, p: float) -> tuple[Tensor, Tensor]:
    """Blend both images."""
    share = _share(drawn, alpha, p)
    return other.lerp(own, share[:, None, None, None]), share


def cutmix(own: Tensor, other: Tensor, drawn: Draws, *, alpha: float, p: float) -> tuple[Tensor, Tensor]:
    """Replace a rectangle around a random pixel, clipped at the border, with the other image."""
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
    """The share of each image's own pixels, before rounding to whole pixels: (N,) float32."""
    share = _beta_on(alpha, drawn.index.device)[drawn.integers(_BETA_VALUES, "share")]
    return torch.where(drawn.uniform() < p, share, 1.0)


@cache
def _beta_on(alpha: float, device: torch.device) -> Tensor:
    return beta_values(alpha).to(device)


def beta_values(alpha: float) -> Tensor:
    """Equally likely values that approximate Beta(alpha, alpha), in ascending order: (65536,) float32.

    Sampling needs one uniform number and no rejection. The values are the medians of 65536 intervals of equal
    probability. They follow from the integral of the density x^(alpha-1) (1-x)^(alpha-1) over [0, 1/2]; the other half
    is its mirror image. For alpha < 1, the density has a pole at 0, which the substitution s = x^alpha removes.
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
    # x^alpha is almost linear in the probability, so linear interpolation between the nodes is accurate.
    lower = np.interp(middles, cumulated / cumulated[-1], nodes ** (alpha / power)) ** (1 / alpha)
    return torch.from_numpy(np.concatenate([lower, 1 - lower[::-1]]).astype(np.float32))


MIXTURES: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {"mixup": mixup, "cutmix": cutmix}
