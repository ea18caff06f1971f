"""Adjustments for multiple comparisons: Dunnett (many to one) and Holm (all pairs)."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from attrs import field
from scipy import optimize, special

from cifar_dsl.foundation.records import frozen

_MOST_SHARED = 0.995  # the largest loading; closer to 1, the integrand below has a step that no grid resolves
_NORMAL = np.linspace(0, 8, 51)  # half of the axis; the integrand is even
_NORMAL_WEIGHTS = np.exp(-(_NORMAL**2) / 2) * np.where(_NORMAL == 0, 0.5, 1)
_NORMAL_WEIGHTS /= _NORMAL_WEIGHTS.sum()
_SPREADS = 61  # nodes for the estimated standard error


def _loadings(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    loadings: npt.NDArray[np.float64] = np.minimum(np.asarray(values, float), _MOST_SHARED)
    return loadings


@frozen(eq=False)
class ManyToOne:
    """The distribution of the largest |t| when several specs are compared with a baseline that all of them equal.

    The statistics are correlated because they share the baseline's mean: the correlation of two is the product of
    their `loadings`, where a loading is the square root of the baseline's share in the variance of a difference.
    Variances may differ, so each statistic has its own degrees of freedom (Hasler and Hothorn 2008, "Multiple
    contrast tests in the presence of heteroscedasticity", Biometrical Journal 50). With equal variances and pooled
    degrees of freedom, this is Dunnett's distribution.
    """

    loadings: npt.NDArray[np.float64] = field(converter=_loadings)

    def exceedance(self, t: float, degrees: float) -> float:
        """The probability that the largest |t| exceeds `t`: the adjusted p-value."""
        # Numerator: a shared normal variable plus one for each statistic. Denominator: a chi variable.
        spreads, weights = chi(degrees)
        bounds = t * spreads[:, None, None]
        shared = _NORMAL[None, :, None] * self.loadings
        own = np.sqrt(1 - self.loadings**2)
        inside = special.ndtr((shared + bounds) / own) - special.ndtr((shared - bounds) / own)
        exceeds = float(weights @ (1 - inside.prod(axis=2)) @ _NORMAL_WEIGHTS)
        return min(1.0, max(p_value(t, degrees), exceeds))  # rounding must not take it below the unadjusted p

    def bounds(self, degrees: float, alpha: float) -> tuple[float, float]:
        """Bounds of `quantile`: Student's quantile for one comparison, and Bonferroni's for all."""
        return t_quantile(alpha, degrees), t_quantile(alpha / len(self.loadings), degrees)

    def quantile(self, degrees: float, alpha: float) -> float:
        """The t that the largest |t| exceeds with probability `alpha`."""
        low, high = self.bounds(degrees, alpha)
        if len(self.loadings) == 1:
            return low

        def excess(logarithm: float) -> float:
            """Nearly linear in `logarithm`, so a root finder needs only a few steps."""
            return math.log(self.exceedance(math.exp(logarithm), degrees) / alpha)

        # Slightly wider, so that rounding can't put the solution outside.
        return math.exp(optimize.brentq(excess, math.log(low) - 1e-3, math.log(high) + 1e-3, rtol=1e-6))


@lru_cache(maxsize=64)
def chi(degrees: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Values of the ratio of an estimated to the true standard error, and their probabilities."""
    half = degrees / 2
    low, high = special.gammaincinv(half, 1e-12), special.gammainccinv(half, 1e-14)  # of half the sum of squares
    values = np.exp(np.linspace(math.log(low), math.log(high), _SPREADS))
    logarithms = half * np.log(values) - values  # of the density, for values evenly spaced in their logarithm
    weights = np.exp(logarithms - logarithms.max())
    return np.sqrt(values / half), weights / weights.sum()


def p_value(t: float, degrees: float) -> float:
    """Student's two-sided p."""
    return float(2 * special.stdtr(degrees, -abs(t)))


def t_quantile(alpha: float, degrees: float) -> float:
    """The t that Student's |t| exceeds with probability `alpha`."""
    return float(-special.stdtrit(degrees, alpha / 2))


def holm(values: Sequence[float]) -> list[float]:
    """The p-values adjusted for all of them together; valid under any dependence (Holm 1979)."""
    adjusted = [0.0] * len(values)
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[i]))
        adjusted[i] = largest
    return adjusted
