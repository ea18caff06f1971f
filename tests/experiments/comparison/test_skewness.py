"""A tail of bad runs is noticed; normal accuracies rarely are."""

import numpy as np
import pytest
from helpers.tolerances import FLOAT64
from scipy import stats

from cifar_dsl.experiments.comparison import compare
from cifar_dsl.experiments.comparison.skewness import _single_p, _skewness, skewed_specs
from cifar_dsl.experiments.comparison.tables import notes


def table(draw, count, n):
    return {f"s{i}": tuple(draw(n)) for i in range(count)}


def test_normal_accuracies_are_rarely_called_skewed():
    draw = np.random.default_rng(0)
    for count, n in ((2, 3), (8, 5), (3, 20)):
        assert sum(bool(skewed_specs(table(draw.standard_normal, count, n))) for _ in range(300)) <= 6


def test_many_small_tails_are_noticed_together():
    draw = np.random.default_rng(0)
    found = skewed_specs(table(lambda n: -draw.standard_exponential(n), 8, 10))
    assert len(found) >= 5


def test_one_spec_with_a_tail_is_named():
    draw = np.random.default_rng(1)
    values = table(draw.standard_normal, 5, 20) | {"tail": (*draw.standard_normal(18), -9.0, -12.0)}
    assert skewed_specs(values) == ["tail"]


def test_the_test_of_one_spec_is_scipys():
    values = np.random.default_rng(0).standard_exponential(12)
    assert _single_p(_skewness(values), 12) == pytest.approx(stats.skewtest(values).pvalue, **FLOAT64)


def test_without_spread_or_runs_nothing_is_skewed():
    assert skewed_specs({}) == skewed_specs({"a": (0.5, 0.5, 0.5), "b": (0.1, 0.9)}) == []


def test_a_table_of_skewed_runs_says_so(entry):
    good = [0.70 + 0.001 * i for i in range(12)]
    comparison = compare([entry("base", accuracies=good), entry("tail", accuracies=[*good[:10], 0.4, 0.3])])
    (note,) = [note for note in notes(comparison) if note.startswith("skewed accuracies: ")]
    assert note.startswith("skewed accuracies: those of tail have a long tail to one side")
    assert not [note for note in notes(compare([entry("base", accuracies=good)])) if note.startswith("skewed")]
