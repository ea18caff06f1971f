"""Adjustments for many comparisons, against published tables, scipy's own and simulation."""

import math

import numpy as np
import pytest
from helpers.tolerances import FLOAT64
from scipy import stats

from cifar_dsl.experiments.comparison.multiplicity import ManyToOne, chi, holm

EQUAL = math.sqrt(0.5)  # the loading where both of a pair have one variance and one n


def beyond(z: float) -> float:
    return 2 * stats.norm.sf(z)


# Dunnett (1964), "New tables for multiple comparisons with a control", Biometrics 20: two-sided, 5 %, known spread.
@pytest.mark.parametrize(("others", "expected"), [(1, 1.96), (2, 2.21), (4, 2.44), (9, 2.69)])
def test_for_a_known_spread_it_is_dunnetts_table(others, expected):
    # The table has two decimals.
    assert stats.norm.isf(ManyToOne([EQUAL] * others).level(0.05) / 2) == pytest.approx(expected, abs=0.005)


def test_with_one_estimated_spread_the_p_are_those_of_scipy():
    draw = np.random.default_rng(4)
    base, *others = (draw.normal(shift, 1, 6) for shift in (0, 0.2, 1.2, -0.5, 2.0))
    theirs = stats.dunnett(*others, control=base, rng=1).pvalue
    pooled = np.mean([group.var(ddof=1) for group in (base, *others)])
    family = ManyToOne([EQUAL] * 4)
    spreads, weights = chi(25)
    t = [abs(group.mean() - base.mean()) / math.sqrt(pooled / 3) for group in others]
    ours = [weights @ [family.adjusted(beyond(each * spread)) for spread in spreads] for each in t]
    assert ours == pytest.approx(theirs, abs=2e-4)  # scipy integrates at random points; 2e-5 apart with this seed


@pytest.mark.parametrize("bound", [0.3, 1.0, 2.5])
def test_unequal_loadings_agree_with_simulation(bound):
    loadings, n = np.array([0.3, 0.99, 0.0, 0.7]), 400_000
    draw = np.random.default_rng(1)
    z = loadings * draw.normal(size=(n, 1)) + np.sqrt(1 - loadings**2) * draw.normal(size=(n, 4))
    simulated = (np.abs(z).max(axis=1) > bound).mean()
    # A share of 400,000 draws has a standard deviation of up to 0.0008.
    assert ManyToOne(loadings).adjusted(beyond(bound)) == pytest.approx(simulated, abs=0.003)


def test_the_level_is_where_the_adjusted_p_is_alpha():
    family = ManyToOne([0.2, 0.7, 0.9])
    # The logarithm of the level is solved to 1e-9.
    assert family.adjusted(family.level(0.05)) == pytest.approx(0.05, rel=1e-7)


def test_a_single_p_is_not_adjusted():
    family = ManyToOne([EQUAL])
    assert (family.adjusted(0.03), family.level(0.05)) == (0.03, 0.05)


def test_an_adjusted_p_lies_between_the_p_alone_and_bonferronis():
    family = ManyToOne([0.5, 0.6, 0.7, 0.999999])
    for p in (1.0, 0.9, 0.3, 1e-2, 1e-5, 1e-15, 1e-40, 0.0):
        assert p <= family.adjusted(p) <= min(1, 4 * p)


def test_holm_multiplies_by_the_remaining_number_and_never_decreases():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06], **FLOAT64)
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
