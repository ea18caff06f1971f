"""Zeros of functions, as scipy finds them."""

import math

import pytest
from scipy import optimize

from cifar_dsl.experiments.comparison.roots import root

FUNCTIONS = {
    "line": (lambda x: x - 0.3, 0.0, 1.0),
    "falling": (lambda x: 0.3 - x**3, 0.0, 1.0),
    "cosine": (lambda x: math.cos(x) - x, 0.0, 2.0),
    "flat": (lambda x: (x - 0.2) ** 3 + 1e-3 * (x - 0.2), -1.0, 2.0),
    "steep": (lambda x: math.atan(1e6 * (x - 0.7)), -5.0, 9.0),
    "far": (lambda x: math.log(x) - 20, 1.0, 1e12),
    "step": (lambda x: 1.0 if x > 0.123 else -1.0, 0.0, 9.0),
    "at an end": (lambda x: x, 0.0, 1.0),
    "at the other": (lambda x: x - 1, 0.0, 1.0),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_zeros_are_those_of_scipy(name):
    function, low, high = FUNCTIONS[name]
    calls = []

    def counted(x):
        calls.append(x)
        return function(x)

    found, expected = root(counted, low, high), optimize.brentq(function, low, high)
    # Both are exact to 2e-12, or to the rounding of the function: "far" is 20 with errors of 4e-15.
    assert found == pytest.approx(expected, rel=1e-14, abs=4e-12)
    assert len(calls) <= 110  # halving takes 44 for a width of 9
    assert all(low <= x <= high for x in calls)


def test_a_smooth_function_takes_few_steps():
    calls = []
    root(lambda x: calls.append(x) or math.cos(x) - x, 0.0, 2.0)
    assert len(calls) <= 12


def test_values_of_one_sign_are_refused():
    with pytest.raises(ValueError, match="the function is 1 at 0 and 2 at 1: no zero is between them"):
        root(lambda x: x + 1, 0.0, 1.0)
