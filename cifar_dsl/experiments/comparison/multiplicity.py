"""Adjustments for multiple comparisons: Dunnett (many to one) and Holm (all pairs)."""

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from cifar_dsl.experiments.comparison.interpolation import cubic
from cifar_dsl.foundation.records import field, frozen

_MOST_SHARED = 0.995  # the largest loading; closer to 1, the integrand below has a step that no grid resolves
_NORMAL = np.linspace(0, 8, 51)  # half of the axis; the integrand is even
_NORMAL_WEIGHTS = np.exp(-(_NORMAL**2) / 2) * np.where(_NORMAL == 0, 0.5, 1)
_NORMAL_WEIGHTS /= _NORMAL_WEIGHTS.sum()
_SPREADS = 61  # nodes for the estimated standard error
_STEP = 0.05
_BOUNDS = np.arange(0, 9 + _STEP / 2, _STEP)  # beyond them, probabilities are below 1e-16


def _loadings(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    loadings: npt.NDArray[np.float64] = np.minimum(np.asarray(values, float), _MOST_SHARED)
    return loadings


@frozen(eq=False)
class ManyToOne:
    """The distribution of the largest |z| when several specs are compared with a baseline that all of them equal.

    Each z is the normal score of one comparison's p-value. They are correlated because the specs share the baseline's
    mean: the correlation of two is the product of their `loadings`, where a loading is the square root of the
    baseline's share in the variance of a difference. This is Dunnett's distribution (1955) for a known spread, with the
    loadings of Hasler and Hothorn (2008, "Multiple contrast tests in the presence of heteroscedasticity", Biometrical
    Journal 50). Unlike theirs, it doesn't let the comparisons share one estimated spread: they don't if the baseline
    scatters less than the others, and would then make too many false claims.
    """

    loadings: npt.NDArray[np.float64] = field(converter=_loadings)

    def adjusted(self, p: float) -> float:
        """The p-value of one comparison, adjusted for all of them."""
        if len(self.loadings) == 1 or p >= 1:
            return p
        bound = float(-special.ndtri(p / 2))
        most = min(1.0, len(self.loadings) * p)  # Bonferroni's
        if bound > _BOUNDS[-1]:
            return most
        return float(min(most, max(p, np.exp(cubic(self._tail, np.array([bound / _STEP]))[0]))))

    def level(self, alpha: float) -> float:
        """The p-value of one comparison that becomes `alpha` when it is adjusted."""
        if len(self.loadings) == 1:
            return alpha

        def excess(logarithm: float) -> float:
            """Nearly linear in `logarithm`, so a root finder needs only a few steps."""
            return math.log(self.adjusted(math.exp(logarithm)) / alpha)

        # Slightly wider than Bonferroni's level, so that rounding can't put the solution outside.
        lowest = math.log(alpha / len(self.loadings)) - 1e-3
        return math.exp(optimize.brentq(excess, lowest, math.log(alpha) + 1e-3, rtol=1e-9))

    @cached_property
    def _tail(self) -> npt.NDArray[np.float64]:
        """The logarithm of the probability that the largest |z| exceeds each of _BOUNDS.

        Each z is the sum of a shared normal variable and one of its own.
        """
        own = np.sqrt(1 - self.loadings**2)
        exceeds = np.empty(len(_BOUNDS))
        for start in range(0, len(_BOUNDS), 20):  # all at once takes 15 MB for a hundred specs
            bounds = _BOUNDS[start : start + 20, None, None]
            shared = _NORMAL[None, :, None] * self.loadings
            outside = special.ndtr((shared - bounds) / own) + special.ndtr((-shared - bounds) / own)
            with np.errstate(divide="ignore"):  # at 0, something is outside with certainty
                none = np.log1p(-np.minimum(outside, 1.0)).sum(axis=2)
            exceeds[start : start + 20] = -np.expm1(none) @ _NORMAL_WEIGHTS
        return np.log(exceeds)


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
