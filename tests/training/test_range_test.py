"""A range test trains with rising rates, for every optimizer and schedule, and keeps nothing."""

import math
from itertools import pairwise

import pytest
from attrs import evolve
from helpers.tolerances import FLOAT64

from cifar_dsl import api
from cifar_dsl.operations.recipe import OPTIMIZERS
from cifar_dsl.training.device import choose_device
from cifar_dsl.training.plan import Plan
from cifar_dsl.training.range_test import RangeTest, _rising, range_test


@pytest.fixture
def measure(tiny, pictures):
    def run(*overrides: str, **more) -> RangeTest:
        spec, dataset = api.open_data(api.load(tiny, overrides=["train.batch=2", *overrides]), f"npz:{pictures}")
        return range_test(spec.analysis, dataset, choose_device("cpu"), artifacts=spec.uses, **more)

    return run


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - {"muon"}))
def test_rates_rise_exponentially_with_every_optimizer(measure, name):
    found = measure(f"train.optimizer={name}(lr=0.1)", steps=25, low=1e-6, high=1e-3)
    assert found.rates[0] == pytest.approx(1e-6, **FLOAT64)
    growth = [later / earlier for earlier, later in pairwise(found.rates)]
    # Each rate is rounded, and so is the quotient of two.
    assert growth == pytest.approx([1000 ** (1 / 25)] * len(growth), rel=1e-9)
    assert len(found.losses) == len(found.rates) == 25
    assert all(map(math.isfinite, found.losses))
    assert found.ended == "complete"


@pytest.mark.parametrize(
    ("schedule", "peak"),
    [("constant", 1), ("cosine(warmup=0.1)", 1), ("piecewise(at=[0, 5], factors=[0.25, 0.5])", 0.3), ("one_cycle", 1)],
)
def test_rates_are_those_of_the_peak_of_the_schedule(measure, schedule, peak):
    found = measure(f"train.schedule={schedule}", "train.optimizer=sgd(lr=0.2, momentum=0.9)", steps=20)
    # Piecewise: the peak within this training, which ends before the second point.
    assert found.peak == pytest.approx(peak, rel=0.2)
    assert found.rates[0] == pytest.approx(0.2 * found.peak / 1000, **FLOAT64)


def test_the_rates_of_groups_rise_in_step(tiny, make_spec, pictures):
    group = "group filters {\n select filter\n optimizer muon(lr=0.02)\n }\n"
    path = make_spec(
        "grouped", tiny.read_text().replace("train {", f"train {{\n {group}", 1).replace("arch tiny", "arch grouped")
    )
    recipe = api.load(path).analysis.require_recipe()
    changed = _rising(recipe, Plan.of(recipe, 60), 1e-3, 1e2, 1.0)
    (group,) = changed.groups
    for passed in (0.0, 0.4, 0.9):
        assert group.schedule.factor(passed, 1.0) == changed.schedule.factor(passed, 1.0)
    assert group.optimizer == recipe.groups[0].optimizer
    frozen = evolve(recipe, groups=(evolve(recipe.groups[0], epochs=0),))
    assert _rising(frozen, Plan.of(recipe, 60), 1e-3, 1e2, 1.0).groups[0].epochs == 0
    spec, dataset = api.open_data(api.load(path), f"npz:{pictures}")
    assert range_test(spec.analysis, dataset, choose_device("cpu"), steps=20).ended == "complete"


def test_it_ends_when_the_loss_explodes(measure):
    found = measure("train.optimizer=sgd(lr=1)", steps=100, high=1e6)
    assert found.ended == "diverged"
    assert 0 < len(found.losses) < 100
    assert all(map(math.isfinite, found.losses))


def test_it_ends_on_request_with_what_it_has(measure):
    found = measure(steps=50, wants_stop=iter([False] * 9 + [True]).__next__)
    assert (found.ended, len(found.losses), found.steps) == ("stopped", 10, 50)


def test_equal_seeds_give_equal_curves_and_a_short_epoch_is_repeated(measure):
    assert measure(steps=65) == measure(steps=65)  # an epoch has 30 steps
    assert measure(steps=20).losses != measure(steps=20, seed=1).losses
