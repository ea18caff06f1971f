"""On recorded accuracies, equal specs rarely differ significantly, and intervals contain the true difference.

bench/false_claims.py makes the same draws every time, so these shares never change.
"""

import csv
from pathlib import Path

import numpy as np
import pytest

from cifar_dsl.experiments.comparison.effects import Sample, effects

RECORDED = Path(__file__).parents[4] / "bench" / "recorded" / "accuracies.csv"


@pytest.fixture(scope="module")
def pools():
    found = {}
    with RECORDED.open(newline="") as file:
        for line in csv.DictReader(file):
            found.setdefault(line["spec"], []).append(float(line["accuracy"]))
    return {name: np.array(values) for name, values in found.items()}


def simulate(base, others, *, n=5, count):
    """The share of comparisons that claim something, and of intervals that hold the true difference."""
    draw = np.random.default_rng(11)
    claims, held = 0, []
    for _ in range(count):
        ours, *theirs = (Sample(tuple(draw.choice(pool, n))) for pool in (base, *others))
        found = effects(ours, theirs)
        claims += any(effect.verdict in {"better", "worse"} for effect in found)
        for effect, pool in zip(found, others, strict=True):
            low, high = effect.interval
            held.append(low <= pool.mean() - base.mean() <= high)
    return claims / count, np.mean(held)


def test_one_spec_under_two_names(pools):
    claims, held = simulate(pools["small"], [pools["small"]], count=400)
    assert claims <= 0.05
    assert 0.93 <= held <= 0.97


def test_one_spec_under_four_names_makes_no_more_false_claims(pools):
    claims, _ = simulate(pools["small"], [pools["small"]] * 3, count=100)
    assert claims <= 0.05


def test_specs_that_scatter_unequally(pools):
    level = pools["rough"] - pools["rough"].mean() + pools["small"].mean()
    claims, _ = simulate(level, [pools["small"]] * 3, count=100)
    assert claims <= 0.05


def test_the_true_difference_of_two_specs(pools):
    _, held = simulate(pools["small"], [pools["rough"]], count=400)
    assert 0.93 <= held <= 0.97
