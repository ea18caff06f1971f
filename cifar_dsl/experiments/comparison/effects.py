"""The difference between two specs and its uncertainty, from a few accuracies of each."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import optimize, special

from cifar_dsl.experiments.comparison.multiplicity import ManyToOne, chi, p_value, t_quantile
from cifar_dsl.experiments.comparison.unequal_spreads import capped_degrees, honest_level, size
from cifar_dsl.foundation.records import frozen

ALPHA = 0.05
POWER = 0.8
MOST_SEEDS = 1000  # a difference that needs more doesn't matter in practice

Interval = tuple[float, float]
Verdict = Literal["better", "worse", "unclear", "untested", "equivalent", "open", "given up", "undecided"]


@frozen
class Sample:
    """The accuracies of a spec's finished runs, and the number of runs lost: diverged or failed."""

    accuracies: tuple[float, ...]
    lost: int = 0

    @property
    def n(self) -> int:
        """The number of accuracies."""
        return len(self.accuracies)

    @property
    def mean(self) -> float | None:
        """The mean accuracy; None without accuracies."""
        return float(np.mean(self.accuracies)) if self.accuracies else None

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation (n - 1); None for fewer than two accuracies, exactly 0 if all are equal."""
        if self.n < 2:
            return None
        return float(np.std(self.accuracies, ddof=1)) if len(set(self.accuracies)) > 1 else 0.0

    @property
    def interval(self) -> Interval | None:
        """Student's interval for the mean; None if the spread is unknown or 0."""
        if not self.deviation or self.mean is None:
            return None
        reach = t_quantile(ALPHA, self.n - 1) * self.deviation / math.sqrt(self.n)
        return self.mean - reach, self.mean + reach


@frozen
class Effect:
    """The difference of two specs' mean accuracies, `other` minus `baseline`.

    `interval` and `p` are those of Welch's test, corrected for unequal spreads, for this difference alone.
    `simultaneous` and `p_adjusted` hold for all specs compared with the baseline together, and decide the
    `verdict`: "better" or "worse" if and only if `simultaneous` excludes 0. They are None, and the verdict is
    "untested", if the spread is unknown.

    In a comparison until decided (`sequential`), `simultaneous` holds at every look, and there is no `interval`, `p` or
    `detectable`. Its verdicts are also "equivalent" (`simultaneous` lies within the margin), "open" (more seeds may
    decide it), "given up" (they hardly will) and "undecided" (there are no more), but never "unclear" or "untested".

    `smallest_p` is the smallest p-value that a permutation test, which makes no assumption about the spread, can
    reach with this number of runs. `superiority` is the probability that a run of `other` beats one of `baseline`;
    ties count half, and a lost run loses to every finished one. `detectable` is the smallest difference that these
    runs detect with a power of 80 %. `seeds_needed` is the number of seeds per spec that detects the present
    difference with that power; None if the verdict is clear already, or above 1,000.
    """

    difference: float
    interval: Interval | None
    simultaneous: Interval | None
    p: float | None
    p_adjusted: float | None
    smallest_p: float
    superiority: float
    superiority_interval: Interval | None
    detectable: float | None
    seeds_needed: int | None
    verdict: Verdict


@frozen
class Welch:
    """Welch's t-test of two means whose variances may differ, corrected for few runs (see `unequal_spreads`)."""

    difference: float
    error: float
    degrees: float
    n: int
    m: int

    @property
    def t(self) -> float:
        """The difference, in standard errors."""
        return self.difference / self.error

    @property
    def nominal_p(self) -> float:
        """Student's two-sided p-value."""
        return p_value(self.t, self.degrees)

    @property
    def p(self) -> float:
        """The two-sided p-value, for this test alone: how often the nominal one is as small, whatever the spreads."""
        return size(self.nominal_p, self.n, self.m)

    @property
    def interval(self) -> Interval:
        """The 95 % interval, for this difference alone."""
        return self.within(ALPHA)

    def within(self, alpha: float) -> Interval:
        """The interval of this difference alone that misses the true one with a probability of at most `alpha`."""
        reach = self.quantile(alpha) * self.error
        return self.difference - reach, self.difference + reach

    def quantile(self, alpha: float) -> float:
        """The number of standard errors that chance exceeds with a probability of at most `alpha`."""
        return t_quantile(honest_level(alpha, self.n, self.m), self.degrees)


def welch(baseline: Sample, other: Sample) -> Welch | None:
    """The test of `other` minus `baseline`; None if a spread is unknown, or both are 0."""
    if baseline.deviation is None or other.deviation is None or not (baseline.deviation or other.deviation):
        return None
    assert baseline.mean is not None
    assert other.mean is not None
    error, degrees = _error(baseline.deviation, baseline.n, other.deviation, other.n)
    return Welch(other.mean - baseline.mean, error, degrees, baseline.n, other.n)


def effects(baseline: Sample, others: Sequence[Sample]) -> list[Effect | None]:
    """Each of `others` against the baseline, adjusted for all of them; None if one of the two has no accuracy."""
    tests = [welch(baseline, other) for other in others]
    family = [other for other, test in zip(others, tests, strict=True) if test]
    distribution = ManyToOne([_loading(baseline, other) for other in family]) if family else None
    return [_effect(baseline, other, test, distribution) for other, test in zip(others, tests, strict=True)]


def seeds_needed(baseline: Sample, other: Sample, others: Sequence[Sample]) -> int | None:
    """The number of seeds per spec that detects the present difference of `other` with probability POWER.

    None for more than MOST_SEEDS. Assumes the same deviations, and the same `others` in the comparison.
    """
    test = welch(baseline, other)
    if test is None or not test.difference:
        return None
    assert baseline.deviation is not None
    assert other.deviation is not None
    ours, theirs = baseline.deviation, other.deviation
    level = _balanced(baseline, tuple(others)).level(ALPHA)

    def shows(n: int) -> bool:
        error, degrees = _error(ours, n, theirs, n)
        quantile = t_quantile(honest_level(level, n, n), degrees)
        return _power(abs(test.difference) / error, quantile, degrees) >= POWER

    low, high = 1, MOST_SEEDS  # one seed detects nothing
    if not shows(high):
        return None
    while high - low > 1:
        middle = math.isqrt(low * high) if high > 2 * low + 1 else (low + high) // 2
        low, high = (low, middle) if shows(middle) else (middle, high)
    return high


def smallest_p(n: int, m: int) -> float:
    """The smallest two-sided p of a permutation test of `n` against `m` runs, on the difference of their means.

    Only the most extreme assignment of runs counts, and with `n == m` also its mirror image.
    """
    return (2 if n == m else 1) / math.comb(n + m, n)


def superiority(baseline: Sample, other: Sample) -> tuple[float, Interval | None]:
    """The probability that a run of `other` beats one of `baseline`, with its interval; lost runs count as beaten.

    The interval is method 5 of Newcombe (2006), "Confidence intervals for an effect size measure based on the
    Mann-Whitney statistic, part 2", Statistics in Medicine 25, which stays valid if all runs of one spec beat all
    runs of the other. It uses Student's quantile instead of the normal one, which covers too rarely with three or four
    runs. None with fewer than two runs of either spec.
    """
    lost = -math.inf
    ours, theirs = (np.array([*each.accuracies, *[lost] * each.lost]) for each in (other, baseline))
    n, m = len(ours), len(theirs)
    beats = (ours[:, None] > theirs).sum() + (ours[:, None] == theirs).sum() / 2
    share = float(beats) / (n * m)
    if min(n, m) < 2:
        return share, None
    quantile = t_quantile(ALPHA, n + m - 2)
    many = (n + m) / 2 - 1

    def excess(p: float) -> float:
        """The distance of `share` from `p`, minus the distance that chance explains."""
        variance = p * (1 - p) * (1 + many * ((1 - p) / (2 - p) + p / (1 + p))) / (n * m)
        return abs(share - p) - quantile * math.sqrt(variance)

    middle = min(max(share, 1e-12), 1 - 1e-12)  # `excess` is 0 at 0 and 1 themselves
    low = 0.0 if share == 0 else float(optimize.brentq(excess, 0.0, middle))
    high = 1.0 if share == 1 else float(optimize.brentq(excess, middle, 1.0))
    return share, (low, high)


def _effect(baseline: Sample, other: Sample, test: Welch | None, family: ManyToOne | None) -> Effect | None:
    if baseline.mean is None or other.mean is None:
        return None
    probability, probability_interval = superiority(baseline, other)
    simultaneous = p_adjusted = detectable = None
    verdict: Verdict = "untested"
    if test and family:
        p_adjusted = family.adjusted(test.p)
        level = family.level(ALPHA)
        simultaneous = test.within(level)
        detectable = test.error * _detectable(test.quantile(level), test.degrees)
        low, high = simultaneous
        verdict = "better" if low > 0 else "worse" if high < 0 else "unclear"
    return Effect(
        difference=other.mean - baseline.mean,
        interval=test.interval if test else None,
        simultaneous=simultaneous,
        p=test.p if test else None,
        p_adjusted=p_adjusted,
        smallest_p=smallest_p(baseline.n, other.n),
        superiority=probability,
        superiority_interval=probability_interval,
        detectable=detectable,
        seeds_needed=None,
        verdict=verdict,
    )


@lru_cache(maxsize=8)
def _balanced(baseline: Sample, others: tuple[Sample, ...]) -> ManyToOne:
    """The distribution with equally many runs of all specs; that of other numbers hardly differs."""
    return ManyToOne([_loading(baseline, each, equal_n=True) for each in others if welch(baseline, each)])


def _error(a: float, n: int, b: float, m: int) -> tuple[float, float]:
    """The standard error of a difference of two means, and its degrees of freedom (Welch, Satterthwaite)."""
    ours, theirs = a * a / n, b * b / m
    return math.sqrt(ours + theirs), float(capped_degrees(ours, n, theirs, m))


def _loading(baseline: Sample, other: Sample, *, equal_n: bool = False) -> float:
    """The square root of the baseline's share in the variance of the difference."""
    assert baseline.deviation is not None
    assert other.deviation is not None
    ours = baseline.deviation**2 / (1 if equal_n else baseline.n)
    theirs = other.deviation**2 / (1 if equal_n else other.n)
    return math.sqrt(ours / (ours + theirs))


def _power(difference: float, quantile: float, degrees: float) -> float:
    """The probability that a true `difference`, in standard errors, gives a |t| above `quantile`."""
    spreads, weights = chi(degrees)
    bounds = quantile * spreads
    return float(weights @ (special.ndtr(difference - bounds) + special.ndtr(-difference - bounds)))


def _detectable(quantile: float, degrees: float) -> float:
    """The true difference, in standard errors, that gives a |t| above `quantile` with probability POWER."""
    most = 2 * quantile + 10.0
    return float(optimize.brentq(lambda difference: _power(difference, quantile, degrees) - POWER, 0.0, most))
