"""Elimination and halving: which spec is the best."""

import math

import numpy as np
import pytest
from helpers.tolerances import FLOAT64

from cifar_dsl.experiments.comparison.effects import Sample
from cifar_dsl.experiments.comparison.sequential import Design, interval
from cifar_dsl.experiments.elimination import better_half, is_decided, next_round, rounds_of, standing

DESIGN = Design(2, 5, 0.01)  # three specs
NEAR = (0.001, -0.001, 0.0, 0.0005, -0.0005)


def sample(mean: float, n: int = 5, scale: float = 1.0, lost: int = 0) -> Sample:
    return Sample(tuple(mean + scale * each for each in NEAR[:n]), lost)


def test_the_one_that_is_shown_to_be_better_is_left_and_the_others_name_one_that_beats_them():
    found = standing(DESIGN, {"low": sample(0.5), "high": sample(0.9), "middle": sample(0.7)})
    assert (found.chosen, found.worse_by) == ("high", {"high": 0.0})
    assert found.eliminated == {"low": "high", "middle": "high"}
    assert is_decided(DESIGN, found)


def test_specs_that_differ_by_less_than_the_margin_are_decided_when_it_is_shown():
    samples = {"one": sample(0.9), "other": sample(0.9005), "low": sample(0.5)}
    found = standing(DESIGN, samples)
    assert set(found.worse_by) == {"one", "other"}
    assert found.chosen == "other"
    low, high = interval(DESIGN, samples["other"].accuracies, samples["one"].accuracies)
    assert found.worse_by["other"] == max(0.0, high)
    assert found.worse_by["one"] == pytest.approx(-low, **FLOAT64)
    assert is_decided(DESIGN, found)
    assert not is_decided(Design(2, 5, found.worse_by["other"] / 2), found)


def test_nothing_is_known_before_three_runs_of_each():
    found = standing(DESIGN, {"one": sample(0.9, 3), "other": sample(0.1, 2)})
    assert found.worse_by == {"one": math.inf, "other": math.inf}
    assert not is_decided(DESIGN, found)


def test_each_round_gives_those_that_are_left_three_seeds_then_one_up_to_the_cap():
    wide = {"one": sample(0.9, 3, 100), "other": sample(0.91, 3, 100), "low": sample(-20.0, 3)}
    assert next_round(DESIGN, dict.fromkeys(wide, Sample(()))) == {"one": 3, "other": 3, "low": 3}
    assert next_round(DESIGN, {**wide, "other": sample(0.91, 2, 100)}) == {"other": 1}
    assert next_round(DESIGN, wide) == {"one": 1, "other": 1}
    capped = {name: Sample(tuple(np.resize(one.accuracies, 5))) for name, one in wide.items() if name != "low"}
    assert next_round(DESIGN, capped) == {}


def test_specs_that_diverge_are_left_out_and_train_no_further():
    found = standing(DESIGN, {"diverges": Sample((), 3), "good": sample(0.9, 3), "other": sample(0.2, 3)})
    assert (found.chosen, found.eliminated["diverges"]) == ("good", None)
    everything = {"one": Sample((), 3), "other": Sample((), 4)}
    assert standing(DESIGN, everything).worse_by == {}
    assert next_round(DESIGN, everything) == {}


def test_intervals_that_miss_leave_the_most_accurate(monkeypatch):
    """Where each of three is shown to be worse than another, which no truth allows, one is left nevertheless."""
    cycle = {("one", "two"), ("two", "three"), ("three", "one")}
    samples = {"one": sample(0.1), "two": sample(0.2), "three": sample(0.3)}
    names = {one.accuracies: name for name, one in samples.items()}

    def bounds(_design, ours, theirs):
        return (0.1, 0.2) if (names[ours], names[theirs]) in cycle else (-0.2, -0.1)

    monkeypatch.setattr("cifar_dsl.experiments.elimination.interval", bounds)
    assert list(standing(DESIGN, samples).worse_by) == ["three"]


def test_halving_keeps_the_better_half_and_doubles_the_epochs():
    assert rounds_of(8, 10) == [3, 5, 10]
    assert rounds_of(5, 10) == [3, 5, 10]
    assert rounds_of(2, 10) == [10]
    assert rounds_of(64, 2) == [1, 1, 1, 1, 1, 2]
    assert better_half({"a": 0.1, "b": None, "c": 0.3, "d": 0.2, "e": 0.05}) == ["a", "c", "d"]
    assert better_half({"a": None, "b": 0.0}) == ["b"]
