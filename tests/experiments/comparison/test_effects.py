"""Differences and their uncertainty, against scipy, published examples and numbers computed by hand."""

import math
from itertools import combinations

import numpy as np
import pytest
from helpers.tolerances import FLOAT64
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cifar_dsl.experiments.comparison.effects import (
    Effect,
    Sample,
    effects,
    seeds_needed,
    smallest_p,
    superiority,
    welch,
)
from cifar_dsl.experiments.comparison.unequal_spreads import honest_level, size

BASE = Sample((0.70, 0.71, 0.72, 0.69, 0.73))
GOOD = Sample((0.80, 0.79, 0.81, 0.80, 0.82))
SAME = Sample((0.705, 0.715, 0.725, 0.690, 0.733))

accuracies = st.lists(st.integers(0, 1000).map(lambda n: n / 1000), max_size=6).map(tuple)
samples = st.builds(Sample, accuracies, st.integers(0, 2))


def effect(base: Sample, *others: Sample) -> Effect:
    found = effects(base, others)[0]
    assert found is not None
    return found


def test_before_its_correction_welch_is_scipys():
    base, other = (0.5, 0.6, 0.55, 0.58), (0.7, 0.9, 0.72, 0.5)
    theirs = stats.ttest_ind(other, base, equal_var=False)
    test = welch(Sample(base), Sample(other))
    assert test is not None
    ours = (test.t, test.nominal_p, test.degrees)
    assert ours == pytest.approx((theirs.statistic, theirs.pvalue, theirs.df), **FLOAT64)
    level = 1 - honest_level(0.05, 4, 4)
    assert test.interval == pytest.approx(tuple(theirs.confidence_interval(level)), **FLOAT64)
    assert test.p == size(test.nominal_p, 4, 4) > theirs.pvalue


def test_three_runs_beside_twenty_have_no_more_degrees_than_beside_three():
    near = Sample((0.5, 0.5001, 0.5002))
    many = Sample(tuple(0.5 + 0.01 * i for i in range(20)))
    test = welch(many, near)
    assert test is not None
    assert test.degrees == 4


def test_the_mean_has_students_interval():
    low, high = stats.t.interval(0.95, 4, loc=0.71, scale=np.std(BASE.accuracies, ddof=1) / math.sqrt(5))
    assert BASE.interval == pytest.approx((low, high), **FLOAT64)
    assert Sample((0.5,)).interval is None


def test_one_comparison_needs_no_adjustment():
    found = effect(BASE, GOOD)
    assert found.p_adjusted == pytest.approx(found.p, **FLOAT64)
    assert found.simultaneous == pytest.approx(found.interval, **FLOAT64)
    assert found.verdict == "better"
    assert effect(GOOD, BASE).verdict == "worse"


def test_more_comparisons_make_a_claim_harder():
    near = Sample((0.745, 0.735, 0.725, 0.732, 0.75))
    assert effect(BASE, near).verdict == "better"
    crowded = effect(BASE, near, *[SAME] * 8)
    assert crowded.verdict == "unclear"
    assert crowded.p is not None
    assert crowded.p < 0.05 < crowded.p_adjusted
    assert crowded.interval == effect(BASE, near).interval


@settings(deadline=None)
@given(samples, st.lists(samples, min_size=1, max_size=3))
def test_claim_interval_and_p_never_contradict_each_other(base, others):
    for found in effects(base, others):
        if found is None or found.simultaneous is None:
            assert found is None or found.verdict == "untested"
            continue
        low, high = found.simultaneous
        assert (low > 0 or high < 0) == (found.verdict != "unclear")
        assert found.p <= found.p_adjusted <= 1
        assert low <= found.interval[0] <= found.difference <= found.interval[1] <= high
        if abs(found.p_adjusted - 0.05) > 1e-5:  # the quantile behind the verdict is solved to 1e-6
            assert (found.p_adjusted < 0.05) == (found.verdict != "unclear")
        assert found.superiority_interval is None or (
            0 <= found.superiority_interval[0] <= found.superiority <= found.superiority_interval[1] <= 1
        )


@pytest.mark.parametrize(
    ("base", "other"), [((0.5,), (0.7,)), ((0.5,), (0.7, 0.8, 0.9)), ((0.5, 0.5), (0.7, 0.7)), ((0.5, 0.5), (0.5, 0.5))]
)
def test_without_a_spread_nothing_is_tested(base, other):
    found = effect(Sample(base), Sample(other))
    assert (found.verdict, found.p, found.p_adjusted, found.interval, found.detectable) == ("untested", *[None] * 4)


def test_an_untestable_spec_is_not_part_of_the_family():
    alone, beside = effect(BASE, GOOD), effect(BASE, GOOD, Sample((0.9,)), Sample(()))
    assert alone.p_adjusted == beside.p_adjusted


def test_one_spec_without_scatter_is_tested_with_the_others_spread():
    found = effect(BASE, Sample((0.8, 0.8, 0.8)))
    alone = welch(BASE, Sample((0.8, 0.8, 0.8)))
    assert alone is not None
    assert alone.nominal_p == pytest.approx(stats.ttest_1samp(BASE.accuracies, 0.8).pvalue, **FLOAT64)
    assert found.p == alone.p


def test_without_accuracies_there_is_no_effect():
    assert effects(BASE, [Sample(())]) == [None]
    assert effects(Sample((), 2), [GOOD]) == [None]


def test_the_smallest_p_is_that_of_a_permutation_test():
    assert [smallest_p(n, n) for n in (1, 2, 3, 4, 5)] == pytest.approx([1, 1 / 3, 0.1, 2 / 70, 2 / 252], **FLOAT64)
    theirs = stats.mannwhitneyu(GOOD.accuracies, BASE.accuracies, method="exact").pvalue
    assert smallest_p(5, 5) == pytest.approx(theirs, **FLOAT64)


@pytest.mark.parametrize(("n", "m"), [(1, 3), (2, 6), (3, 5), (4, 4)])
def test_the_smallest_p_counts_the_ways_to_deal_out_runs_that_lie_far_apart(n, m):
    values = np.array([*range(n), *range(100, 100 + m)], float)

    def difference(chosen: tuple[int, ...]) -> float:
        return abs(values[list(chosen)].mean() - np.delete(values, chosen).mean())

    differences = [difference(chosen) for chosen in combinations(range(n + m), n)]
    as_large = sum(each >= differences[0] - 1e-9 for each in differences)
    assert smallest_p(n, m) == pytest.approx(as_large / len(differences), **FLOAT64)


def test_superiority_counts_ties_half_and_lost_runs_as_beaten():
    assert superiority(Sample((0.5, 0.6)), Sample((0.6, 0.7)))[0] == pytest.approx(3.5 / 4, **FLOAT64)
    assert superiority(Sample((0.5, 0.6)), Sample((0.7, 0.8), lost=2))[0] == pytest.approx(0.5, **FLOAT64)
    assert superiority(Sample((0.5,), lost=1), Sample((0.4,), lost=1))[0] == pytest.approx((1 + 0.5) / 4, **FLOAT64)


def test_the_interval_of_superiority_solves_newcombes_equation():
    found, (low, high) = superiority(Sample((0.1, 0.4, 0.6, 0.7)), Sample((0.2, 0.5, 0.8, 0.9, 0.95)))
    for end in (low, high):
        n, m, many = 5, 4, 3.5
        variance = end * (1 - end) * (1 + many * ((1 - end) / (2 - end) + end / (1 + end))) / (n * m)
        # An end is solved to 2e-12, scipy's default.
        assert abs(found - end) == pytest.approx(stats.t.isf(0.025, 7) * math.sqrt(variance), rel=1e-10)
    assert superiority(BASE, GOOD)[1][0] < 0.9 < superiority(BASE, GOOD)[1][1] == 1  # complete, and yet not sure
    assert superiority(Sample((0.5,)), Sample((0.6,))) == (1.0, None)


def test_the_detectable_difference_is_found_in_four_of_five_tries():
    base = Sample((0.70, 0.72, 0.74, 0.71, 0.735, 0.705, 0.69))
    other = Sample((0.71, 0.73, 0.72, 0.745, 0.70, 0.71, 0.735))
    found = effect(base, other)
    assert base.deviation is not None
    assert other.deviation is not None
    assert found.detectable is not None
    draw = np.random.default_rng(2)
    ours = draw.normal(0, base.deviation, (4000, 7))
    theirs = draw.normal(found.detectable, other.deviation, (4000, 7))
    power = (stats.ttest_ind(theirs, ours, axis=1, equal_var=False).pvalue < 0.05).mean()
    assert power == pytest.approx(0.8, abs=0.03)  # a share of 4000 draws has a standard deviation of 0.006


def test_the_seeds_that_are_needed_show_the_difference_in_four_of_five_tries():
    base, other = Sample((0.70, 0.72, 0.74)), Sample((0.715, 0.74, 0.75))
    n = seeds_needed(base, other, [other])
    assert n is not None
    draw = np.random.default_rng(3)

    def power(seeds: int) -> float:
        ours = draw.normal(base.mean, base.deviation, (4000, seeds))
        theirs = draw.normal(other.mean, other.deviation, (4000, seeds))
        return float((stats.ttest_ind(theirs, ours, axis=1, equal_var=False).pvalue < 0.05).mean())

    assert power(n) > 0.77
    assert power(n - 2) < 0.8
    more = seeds_needed(base, other, [other, SAME, GOOD])
    assert more is not None
    assert more > n


def test_a_difference_that_is_next_to_nothing_needs_more_seeds_than_anyone_has():
    assert seeds_needed(BASE, Sample(tuple(a + 1e-5 for a in BASE.accuracies)), [BASE]) is None
    assert seeds_needed(BASE, BASE, [BASE]) is None
