"""Adjustments for many comparisons, against published tables, scipy's own and simulation."""

import math

import numpy as np
import pytest
from helpers.tolerances import FLOAT64
from scipy import stats

from cifar_dsl.experiments.comparison.multiplicity import ManyToOne, holm

EQUAL = math.sqrt(0.5)  # the loading where both of a pair have one variance and one n


# Dunnett (1964), "New tables for multiple comparisons with a control", Biometrics 20, two-sided, 5 %.
@pytest.mark.parametrize(
    ("others", "degrees", "expected"), [(1, 10, 2.23), (2, 10, 2.57), (4, 20, 2.65), (2, 5, 3.03), (3, 5, 3.29)]
)
def test_with_equal_variances_it_is_dunnetts_table(others, degrees, expected):
    # The table has two decimals.
    assert ManyToOne([EQUAL] * others).quantile(degrees, 0.05) == pytest.approx(expected, abs=0.005)


def test_with_pooled_variance_the_p_are_those_of_scipy():
    draw = np.random.default_rng(4)
    base, *others = (draw.normal(shift, 1, 6) for shift in (0, 0.2, 1.2, -0.5, 2.0))
    theirs = stats.dunnett(*others, control=base, rng=1).pvalue
    pooled = np.mean([group.var(ddof=1) for group in (base, *others)])
    family = ManyToOne([EQUAL] * 4)
    ours = [family.exceedance(abs(group.mean() - base.mean()) / math.sqrt(pooled / 3), 25) for group in others]
    assert ours == pytest.approx(theirs, abs=2e-4)  # scipy integrates at random points; 2e-5 apart with this seed


@pytest.mark.parametrize("degrees", [1.0, 1.5, 3.2, 40.0])
def test_unequal_loadings_and_few_degrees_agree_with_simulation(degrees):
    loadings, n = np.array([0.3, 0.99, 0.0, 0.7]), 400_000
    draw = np.random.default_rng(1)
    shared, own = draw.normal(size=(n, 1)), draw.normal(size=(n, 4))
    t = (loadings * shared + np.sqrt(1 - loadings**2) * own) / np.sqrt(draw.chisquare(degrees, (n, 1)) / degrees)
    simulated = (np.abs(t).max(axis=1) > 2.5).mean()
    # A share of 400,000 draws has a standard deviation of up to 0.0008.
    assert ManyToOne(loadings).exceedance(2.5, degrees) == pytest.approx(simulated, abs=0.003)


@pytest.mark.parametrize("degrees", [1.0, 2.5, 8.0, 200.0])
def test_the_quantile_is_where_the_probability_is_alpha(degrees):
    family = ManyToOne([0.2, 0.7, 0.9])
    # The logarithm of the quantile is solved to 1e-6.
    assert family.exceedance(family.quantile(degrees, 0.05), degrees) == pytest.approx(0.05, rel=1e-5)


def test_one_comparison_is_students_t():
    family = ManyToOne([EQUAL])
    assert family.quantile(7.3, 0.05) == pytest.approx(stats.t.isf(0.025, 7.3), **FLOAT64)
    for t in (0.0, 1.0, 30.0):
        assert family.exceedance(t, 7.3) == pytest.approx(2 * stats.t.sf(t, 7.3), **FLOAT64)


def test_an_adjusted_p_lies_between_the_p_alone_and_bonferronis():
    family = ManyToOne([0.5, 0.6, 0.7, 0.999999])
    for t in (0.1, 1.0, 2.0, 5.0, 20.0):
        alone = 2 * stats.t.sf(t, 4)
        assert alone <= family.exceedance(t, 4) <= min(1, 4 * alone) * (1 + 1e-6)


def test_holm_multiplies_by_the_remaining_number_and_never_decreases():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06], **FLOAT64)
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
