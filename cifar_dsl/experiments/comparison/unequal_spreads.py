"""How often Welch's test is wrong when two specs scatter differently, and levels at which it isn't too often.

With three to six runs of each, Welch's test claims too much if one spec scatters several times as much as the other: a
nominal p of 0.0005 occurs in 0.24 % of comparisons of three runs. The size of the test, the probability of a p-value so
small if the means are equal, is an integral over the two sample variances, so we compute it and don't simulate it.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special

from cifar_dsl.experiments.comparison.interpolation import Floats, cubic

RATIOS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)  # of standard deviations, either way
MOST_RUNS = 60  # of the smaller sample: with more, the size differs from the level by less than rounding shows
_DEGREES = 24  # at which Student's quantile is computed; it is interpolated between them
_LOWEST, _STEP = -24.0, 1.0  # the logarithms of levels at which the size is computed
_BETWEEN = 20  # levels for each of them, interpolated


def capped_degrees(first: Any, n: Any, second: Any, m: Any) -> Any:
    """Satterthwaite's degrees of freedom, at most 2 (min(n, m) - 1).

    `first` and `second` are the variances of the means of `n` and `m` runs; all may be arrays. Without the bound, three
    runs that happen to lie close together would have some twenty degrees against twenty runs.
    """
    degrees = (first + second) ** 2 / (first**2 / (n - 1) + second**2 / (m - 1))
    return np.minimum(degrees, 2.0 * (np.minimum(n, m) - 1))


def size(level: float, n: int, m: int) -> float:
    """The probability of a p-value of at most `level`, for specs of equal means with `n` and `m` runs.

    It is the largest for standard deviations up to 8 times apart, and assumes normal accuracies.
    """
    if min(n, m) > MOST_RUNS or not 0 < level < 1:
        return level
    levels, sizes = _curve(*sorted((n, m)))
    logarithm = float(np.log(level))
    if logarithm < levels[0]:
        return level * float(np.exp(sizes[0] - levels[0]))
    return float(np.exp(np.interp(logarithm, levels, sizes)))


def honest_level(alpha: float, n: int, m: int) -> float:
    """The largest p-value whose `size` is at most `alpha`."""
    if min(n, m) > MOST_RUNS or not 0 < alpha < 1:
        return alpha
    levels, sizes = _curve(*sorted((n, m)))
    logarithm = float(np.log(alpha))
    if logarithm < sizes[0]:
        return alpha * float(np.exp(levels[0] - sizes[0]))
    return float(np.exp(np.interp(logarithm, sizes, levels)))


@lru_cache(maxsize=1024)
def _curve(n: int, m: int) -> tuple[Floats, Floats]:
    """The logarithms of levels, in ascending order, and of their sizes."""
    nodes = np.arange(_LOWEST, _STEP / 2, _STEP)
    grid = _Grid(n, m)
    ratios = np.array([*(grid.excess(float(np.exp(node))) for node in nodes[:-1]), 0.0])
    places = np.linspace(0, len(nodes) - 1, _BETWEEN * (len(nodes) - 1) + 1)
    levels = _LOWEST + _STEP * places
    return levels, np.maximum.accumulate(levels + np.maximum(cubic(ratios, places), 0.0))


class _Grid:
    """Quadrature over the two sample variances, for each ratio of the true ones: arrays (ratios, nodes, nodes).

    `spread` is the estimated over the true standard error. `position` is where the degrees of freedom lie among
    `degrees_nodes`.
    """

    def __init__(self, n: int, m: int) -> None:
        ratios = np.array(RATIOS if n == m else sorted({*RATIOS, *(1 / ratio for ratio in RATIOS)}))
        first, second = 1 / n, ratios**2 / m
        share = (first / (first + second))[:, None, None]  # of the first mean in the variance of the difference
        ours, our_weights = _relative_variances(n - 1)
        theirs, their_weights = _relative_variances(m - 1)
        a, b = share * ours[None, :, None], (1 - share) * theirs[None, None, :]
        self.weights = our_weights[None, :, None] * their_weights[None, None, :]
        self.spread = np.sqrt(a + b)
        degrees = np.log(capped_degrees(a, n, b, m))
        low, high = float(degrees.min()), float(degrees.max())
        self.degrees_nodes = np.exp(np.linspace(low, high, _DEGREES))
        self.position = (degrees - low) / max(high - low, 1e-12) * (_DEGREES - 1)

    def excess(self, level: float) -> float:
        """The logarithm of the largest size of `level`, over it."""
        quantiles = np.log(-special.stdtrit(self.degrees_nodes, level / 2))
        bounds = np.exp(np.interp(self.position, np.arange(_DEGREES), quantiles))
        exceeds = 2 * special.ndtr(-bounds * self.spread)
        return float(np.log((exceeds * self.weights).sum(axis=(1, 2)).max() / level))


@lru_cache(maxsize=128)
def _relative_variances(degrees: int) -> tuple[Floats, Floats]:
    """Sample variances over the true one, and their probabilities: evenly spaced in the logarithm."""
    half = degrees / 2
    low, high = special.gammaincinv(half, 1e-16), special.gammainccinv(half, 1e-14)
    values = np.exp(np.linspace(np.log(low), np.log(high), 48 if degrees < 10 else 24))
    logarithms = half * np.log(values) - values
    weights = np.exp(logarithms - logarithms.max())
    return values / half, weights / weights.sum()
