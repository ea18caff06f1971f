"""Welch's test makes at most the promised share of false claims, whatever the spreads."""

import numpy as np
import pytest
from scipy import special

from cifar_dsl.experiments.comparison.effects import Sample, effects
from cifar_dsl.experiments.comparison.unequal_spreads import RATIOS, capped_degrees, honest_level, size


def simulated(level: float, n: int, m: int, ratio: float, count: int = 40_000) -> float:
    """How often a p-value is at most `level`, if the second of two equal specs scatters `ratio` times as much."""
    draw = np.random.default_rng((n, m, round(8 * ratio)))
    ours, theirs = draw.normal(size=(count, n)), ratio * draw.normal(size=(count, m))
    first, second = ours.var(axis=1, ddof=1) / n, theirs.var(axis=1, ddof=1) / m
    t = (theirs.mean(axis=1) - ours.mean(axis=1)) / np.sqrt(first + second)
    return float((2 * special.stdtr(capped_degrees(first, n, second, m), -np.abs(t)) <= level).mean())


@pytest.mark.parametrize(("n", "m", "level"), [(3, 3, 0.01), (3, 10, 0.05)])
def test_the_size_is_that_of_the_worst_ratio_of_spreads(n, m, level):
    worst = max(simulated(level, n, m, each) for ratio in RATIOS for each in {ratio, 1 / ratio})
    # Of 40,000 draws, a share of 2 % has a standard deviation of 3.5 %.
    assert size(level, n, m) == pytest.approx(worst, rel=0.1)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (4, 20), (12, 12), (61, 70)])
def test_the_honest_level_has_the_wanted_size(n, m):
    for alpha in (0.5, 0.05, 0.001, 1e-5, 1e-12):
        level = honest_level(alpha, n, m)
        assert level <= alpha
        # Both directions interpolate linearly between the same points.
        assert size(level, n, m) == pytest.approx(alpha, rel=1e-6)


def test_a_level_of_none_and_of_all_stay():
    assert [size(level, 3, 3) for level in (0.0, 1.0)] == [honest_level(level, 3, 3) for level in (0.0, 1.0)] == [0, 1]


def test_seven_specs_that_scatter_much_more_than_the_baseline_are_rarely_claimed_to_differ():
    draw = np.random.default_rng(3)
    claims = 0
    for _ in range(60):
        base, *others = (Sample(tuple(scale * draw.normal(size=3))) for scale in (1, *[6] * 7))
        claims += any(effect.verdict in {"better", "worse"} for effect in effects(base, others) if effect)
    assert claims <= 4  # 3 are promised
