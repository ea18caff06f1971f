"""Comparisons that decide while they train: their claims hold at whatever moment one stops.

A design compares several specs with a baseline, up to `cap` seeds each. With a probability of at least 1 - alpha, all
its intervals contain the true differences at every look: after any number of seeds of either spec, whoever looked,
whenever, and for whatever reason training continued. "better", "worse" and "equivalent" follow from the interval that
is printed, so they can't contradict it.

- One difference is Welch's, corrected for unequal spreads (`unequal_spreads`).
- Looking again costs: the level of each look is that of a group-sequential test for normal data of known spread, which
  spends alpha (n / cap)² by n seeds (Armitage, McPherson and Rowe 1969; Lan and DeMets 1983; Kim and DeMets 1987).
- `_SHARES` of alpha is spent so, since there are more looks than seeds (every pair of counts), and the spread is
  estimated. `python bench/false_claims.py calibrate` computes them; for other caps, the smaller of the shares beside.
- Several specs share alpha equally (Bonferroni), whatever depends on what.
- Intervals are repeated confidence intervals (Jennison and Turnbull 1989), intersected over all looks.
- A spec is given up if a decision by the cap is unlikely (predictive probability; Spiegelhalter, Freedman and Blackburn
  1986). That takes claims away and never adds one, so continuing nevertheless costs no guarantee.

Assumes that runs are independent and their accuracies roughly normal, and that specs, cap, alpha and margin are chosen
before the first look and no finished run is left out.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from cifar_dsl.experiments.comparison.effects import (
    ALPHA,
    Effect,
    Interval,
    Sample,
    Verdict,
    smallest_p,
    superiority,
    welch,
)
from cifar_dsl.experiments.comparison.unequal_spreads import capped_degrees, honest_level
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int_]

FIRST = 3  # seeds: fewer claim nothing
SMALLEST_CAP, LARGEST_CAP = 4, 30
MOST_SPECS = 50  # beside the baseline
_SHARES = {4: 0.716, 6: 0.681, 8: 0.687, 12: 0.705, 16: 0.686, 20: 0.666, 30: 0.585}  # by the cap
_SPENT = 2.0  # the power of the share of seeds that alpha is spent by
_GIVE_UP = 0.15  # the predictive probability of a decision below which a spec is given up
_DRAWS = 400  # of the future, for a forecast


@frozen
class Design:
    """What is fixed before the first look. Raises UserError outside of the bounds for which it was calibrated.

    `specs` is the number of specs ever compared with the baseline, decided ones included. `margin` is the difference
    in accuracy (0 to 1) below which two specs count as equivalent; None: none does.
    """

    specs: int
    cap: int = LARGEST_CAP
    margin: float | None = None
    alpha: float = ALPHA

    def __attrs_post_init__(self) -> None:
        if not SMALLEST_CAP <= self.cap <= LARGEST_CAP:
            raise UserError(
                f"a comparison until decided takes at most {SMALLEST_CAP} to {LARGEST_CAP} seeds, not {self.cap}",
                f"choose --cap from {SMALLEST_CAP} to {LARGEST_CAP}",
                reason="its error rate is calibrated for these numbers only",
            )
        if not 1 <= self.specs <= MOST_SPECS:
            raise UserError(
                f"a comparison until decided takes 1 to {MOST_SPECS} specs beside the baseline, not {self.specs}",
                "compare fewer specs, or choose a number of seeds, as in --seeds 5",
                reason="its error rate is calibrated for these numbers only",
            )
        if self.alpha != ALPHA:
            raise UserError(
                f"alpha is {ALPHA:g} in a comparison until decided, not {self.alpha:g}",
                f"use {ALPHA:g}",
                reason="its error rate is calibrated for this one only",
            )
        if self.margin is not None and not 0 < self.margin < 1:
            raise UserError(
                f"specs can't be equivalent within {100 * self.margin:g} points",
                "choose a margin between 0 and 100 points, such as --equivalent-within 0.5",
            )


def effect(design: Design, baseline: Sample, other: Sample) -> Effect | None:
    """`other` against the baseline, as far as their runs decide it; None if one of the two has no accuracy.

    The accuracies of a sample are in an order that doesn't depend on them, and new ones come last. Of more than `cap`,
    the first ones count.
    """
    if baseline.mean is None or other.mean is None:
        return None
    bounds = interval(design, baseline.accuracies, other.accuracies)
    verdict = _verdict(design, baseline, other, bounds)
    probability, probability_interval = superiority(baseline, other)
    return Effect(
        difference=other.mean - baseline.mean,
        interval=None,
        simultaneous=bounds,
        p=None,
        p_adjusted=None,
        smallest_p=smallest_p(baseline.n, other.n),
        superiority=probability,
        superiority_interval=probability_interval,
        detectable=None,
        seeds_needed=None,
        verdict=verdict,
    )


def interval(design: Design, baseline: Sequence[float], other: Sequence[float]) -> Interval | None:
    """Where the difference lies, in accuracies given in order: the intervals of all looks so far, intersected.

    A look takes the first i runs of one and the first j of the other, for all i and j from FIRST on. So the interval
    depends on the runs alone, gets never wider, and an end that has left 0 stays away from it. None before FIRST runs
    of both; if nothing varies; and if the intervals have nothing in common, which has a probability of at most alpha.
    """
    n, m = min(len(baseline), design.cap), min(len(other), design.cap)
    if min(n, m) < FIRST:
        return None
    ours, theirs = moments(baseline[:n]), moments(other[:m])
    j = np.arange(FIRST, m + 1)
    low, high = -math.inf, math.inf
    for i in range(FIRST, n + 1):
        reach = margin_of_error(design, float(ours[1][i - 1]), i, theirs[1][FIRST - 1 :], j)
        differences = theirs[0][FIRST - 1 :] - ours[0][i - 1]
        low, high = max(low, float((differences - reach).max())), min(high, float((differences + reach).min()))
    return (low, high) if -math.inf < low <= high else None


def margin_of_error(design: Design, variance: "float | Floats", n: int, other: Floats, m: "int | Counts") -> Floats:
    """How far the true difference may lie from the one seen, given the sample variances of `n` and `m` runs; arrays.

    Infinite where nothing varies, so that nothing is known of chance.
    """
    first, second = np.asarray(variance) / n, other / m
    error = np.sqrt(first + second)
    with np.errstate(invalid="ignore", divide="ignore"):
        degrees = capped_degrees(first, n, second, m)
        reach = -special.stdtrit(degrees, _levels_at(design, n, m) / 2) * error
    return np.where(error > 0, reach, math.inf)


def next_round(design: Design, baseline: Sample, others: Mapping[str, Sample]) -> dict[str | None, int]:
    """How many more seeds each open spec takes next; None stands for the baseline. Empty when everything is decided.

    Each spec gets FIRST seeds at once, then one at a time, and the baseline as many as the furthest of them. Lost runs
    count up to the cap, so that a spec whose trainings always diverge isn't trained for ever.
    """
    goals: dict[str | None, int] = {}
    for name, other in others.items():
        if is_open(design, baseline, other):
            look = min(baseline.n, other.n)
            goals[name] = max(FIRST, look + 1)
    if goals:
        goals[None] = max(goals.values())
    samples: dict[str | None, Sample] = {None: baseline}
    samples.update(others)
    more = {name: min(goal, design.cap - samples[name].lost) - samples[name].n for name, goal in goals.items()}
    return {name: count for name, count in more.items() if count > 0}


def is_open(design: Design, baseline: Sample, other: Sample) -> bool:
    """Whether more seeds of the two may still decide it."""
    if min(baseline.n, other.n) >= FIRST:
        found = effect(design, baseline, other)
        return found is not None and found.verdict == "open"
    return all(each.n + each.lost < design.cap for each in (baseline, other) if each.n < FIRST)


def forecast(design: Design, baseline: Sample, other: Sample) -> tuple[float, float]:
    """The expected number of further seeds until a decision or the cap, and the chance of a decision.

    Draws futures with the spreads seen, and a true difference that the runs so far make likely.
    """
    n = min(baseline.n, other.n, design.cap)
    test = welch(_first(baseline, n), _first(other, n)) if n >= FIRST else None
    if test is None:
        return float(design.cap - n), 0.5
    draw = np.random.default_rng(n)
    shift = draw.normal(0.0, test.error, _DRAWS)
    totals = []
    for sample, moved in ((baseline, 0.0), (other, shift[:, None])):
        seen = np.array(sample.accuracies[:n])
        future = draw.normal(seen.mean(), seen.std(ddof=1), (_DRAWS, design.cap - n)) + moved
        totals.append(np.hstack([np.broadcast_to(seen, (_DRAWS, n)), future]))
    (mean, variance), (mean2, variance2) = (moments(values) for values in totals)
    open_, seeds = np.ones(_DRAWS, bool), np.zeros(_DRAWS)
    low, high = np.full(_DRAWS, -np.inf), np.full(_DRAWS, np.inf)
    for k in range(n + 1, design.cap + 1):
        seeds += open_
        reach = margin_of_error(design, variance[:, k - 1], k, variance2[:, k - 1], k)
        difference = mean2[:, k - 1] - mean[:, k - 1]
        low, high = np.maximum(low, difference - reach), np.minimum(high, difference + reach)
        open_ &= ~((low > 0) | (high < 0) | _within(design, low, high))
    return float(seeds.mean()), float(1 - open_.mean())


def nominal_levels(looks: Sequence[int], alpha: float) -> Floats:
    """Two-sided levels of looks after these numbers of seeds, for normal data of known spread, which spend `alpha`.

    At each look, alpha (n / last)² has been spent. The density of the sum of the data, on paths that have exceeded no
    level so far, is carried from look to look on the nodes of a Gauss-Legendre rule.
    """
    counts = np.asarray(looks, float)
    spent = np.diff(alpha * (counts / counts[-1]) ** _SPENT, prepend=0.0)
    nodes, weights = np.polynomial.legendre.leggauss(81)
    z = float(-special.ndtri(spent[0] / 2))
    levels, edge = [float(spent[0])], min(z, 8.0) * math.sqrt(counts[0])
    sums = nodes * edge
    mass = weights * edge * np.exp(-(sums**2) / (2 * counts[0])) / math.sqrt(2 * math.pi * counts[0])
    for i in range(1, len(counts)):
        step, root = math.sqrt(counts[i] - counts[i - 1]), math.sqrt(counts[i])

        excess = partial(_excess, sums, mass, step, root, float(spent[i]))
        z = float(optimize.brentq(excess, 0.0, 9.0, xtol=1e-6))
        levels.append(float(2 * special.ndtr(-z)))
        edge = min(z, 8.0) * root
        arrived = nodes * edge
        kernel = np.exp(-((arrived[:, None] - sums) ** 2) / (2 * step**2)) / math.sqrt(2 * math.pi * step**2)
        mass, sums = weights * edge * (kernel @ mass), arrived
    return np.array(levels)


def _excess(sums: Floats, mass: Floats, step: float, root: float, allowed: float, bound: float) -> float:
    """The logarithm of what a look would spend, over what it may."""
    beyond = special.ndtr((sums - bound * root) / step) + special.ndtr((-bound * root - sums) / step)
    return math.log(max(float(mass @ beyond), 1e-300) / allowed)


def _verdict(design: Design, baseline: Sample, other: Sample, bounds: Interval | None) -> Verdict:
    look = min(baseline.n, other.n)
    if bounds is not None:
        low, high = bounds
        if low > 0 or high < 0:
            return "better" if low > 0 else "worse"
        if _within(design, low, high):
            return "equivalent"
    tries = [each.n + each.lost for each in (baseline, other)]
    if look >= design.cap or (min(tries) >= design.cap):
        return "undecided"
    if look <= FIRST or _hope(design, baseline, other) >= _GIVE_UP:
        return "open"
    return "given up"


def _within(design: Design, low: "float | Floats", high: "float | Floats") -> "bool | npt.NDArray[np.bool_]":
    if design.margin is None:
        return np.zeros(np.shape(low), bool) if np.ndim(low) else False
    return (low > -design.margin) & (high < design.margin)


def _hope(design: Design, baseline: Sample, other: Sample) -> float:
    """The predictive probability that the runs up to the cap decide it, if the spreads are those seen.

    With a flat prior, Z(cap) given Z(n) is normal with mean Z(n) √(cap / n) and variance cap / n - 1, where Z is the
    normal score of Welch's p.
    """
    n = min(baseline.n, other.n)
    test = welch(_first(baseline, n), _first(other, n))
    if test is None:
        return 1.0
    z = float(-special.ndtri(max(test.nominal_p, 1e-300) / 2))
    bound = float(-special.ndtri(_level(design, design.cap, design.cap) / 2))
    growth = design.cap / n
    spread = math.sqrt(growth - 1)
    chance = sum(float(special.ndtr((sign * z * math.sqrt(growth) - bound) / spread)) for sign in (1, -1))
    if design.margin is not None:
        room = design.margin - bound * test.error / math.sqrt(growth)
        deviation = test.error * math.sqrt(1 - 1 / growth)  # of the mean at the cap
        if room > 0:
            ends = [(room - test.difference) / deviation, (-room - test.difference) / deviation]
            chance += float(special.ndtr(ends[0]) - special.ndtr(ends[1]))
    return chance


@lru_cache(maxsize=16)
def _levels(design: Design) -> Floats:
    """The level of each look, by the number of runs of the spec that has fewer, before the correction for spreads."""
    share = min(_SHARES[cap] for cap in _beside(design.cap))
    return nominal_levels(range(FIRST, design.cap + 1), share * design.alpha / design.specs)


def _beside(cap: int) -> tuple[int, int]:
    """The calibrated caps next to `cap`, on both sides."""
    return max(each for each in _SHARES if each <= cap), min(each for each in _SHARES if each >= cap)


@lru_cache(maxsize=4096)
def _level(design: Design, n: int, m: int) -> float:
    """The level of Student's t for a look at `n` and `m` runs."""
    return honest_level(float(_levels(design)[min(n, m) - FIRST]), n, m)


def _levels_at(design: Design, n: int, m: "int | Counts") -> Floats:
    counts = np.atleast_1d(m)
    levels = np.array([_level(design, *sorted((n, int(count)))) for count in counts])
    return levels if np.ndim(m) else levels[0]


def _first(sample: Sample, n: int) -> Sample:
    return Sample(sample.accuracies[:n])


def moments(values: "Sequence[float] | Floats") -> tuple[Floats, Floats]:
    """Mean and variance of the first n values along the last axis, for every n; the first variance is 0."""
    data = np.asarray(values, float)
    n = np.arange(1, data.shape[-1] + 1)
    centred = data - data[..., :1]
    mean = np.cumsum(centred, axis=-1) / n
    variance = (np.cumsum(centred**2, axis=-1) - n * mean**2) / np.maximum(n - 1, 1)
    return mean + data[..., :1], np.maximum(variance, 0.0)
