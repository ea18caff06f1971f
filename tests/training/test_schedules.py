"""Learning rates over time, compared with torch's schedulers where they exist."""

import math
from collections.abc import Callable

import numpy
import pytest
import torch
from helpers.tolerances import FLOAT64
from torch.optim import lr_scheduler

from cifar_dsl.operations.recipe import SCHEDULES
from cifar_dsl.operations.recipe.schedule import (
    Constant,
    Cosine,
    Exponential,
    Linear,
    OneCycle,
    Piecewise,
    Polynomial,
    Schedule,
    Step,
    WarmRestarts,
)
from cifar_dsl.operations.registry import MisfitError

EPOCHS = 12

ALL: list[Schedule] = [
    Constant(),
    Constant(warmup=3),
    Cosine(),
    Cosine(warmup=2.5, final=0.1),
    Linear(),
    Linear(warmup=1, final=0.5),
    Polynomial(power=2.0),
    Polynomial(power=0.9, final=0.1, warmup=2.5),
    Exponential(gamma=0.9),
    Exponential(gamma=0.9, every=2.5),
    WarmRestarts(period=3.0),
    WarmRestarts(period=2.0, growth=2, final=0.1, warmup=1.0),
    Step(at=(4, 8)),
    Step(at=(4, 8), warmup=2.0),
    Piecewise(at=(0.0, 3.0, 12.0), factors=(0.2, 1.0, 0.0)),
    Piecewise(at=(4.0,), factors=(1.0,)),
    OneCycle(),
    OneCycle(peak=0.5, start=0.2, final=0.1),
    OneCycle(anneal="cosine"),
]
WARMED = [Constant(warmup=4), Cosine(warmup=4), Linear(warmup=4), Polynomial(power=2.0, warmup=4)]
PLAIN = {schedule.name: schedule for schedule in (Constant(), Cosine(), Linear(), Polynomial(power=2.0))}


def torch_rates(make: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler], steps: int = EPOCHS) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("schedule", "theirs"),
    [
        (Cosine(), lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS)),
        (Cosine(final=0.25), lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS, eta_min=0.25)),
        (Linear(), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, EPOCHS)),
        (Linear(final=0.25), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.25, EPOCHS)),
        (Step(at=(3, 7, 8)), lambda o: lr_scheduler.MultiStepLR(o, [3, 7, 8])),
        (Step(at=(5,), gamma=0.5), lambda o: lr_scheduler.MultiStepLR(o, [5], gamma=0.5)),
        (Constant(), lambda o: lr_scheduler.ConstantLR(o, 1.0)),
        (Exponential(gamma=0.9), lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
        (Exponential(gamma=0.9, every=1.0), lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
        (Exponential(gamma=0.1, every=5.0), lambda o: lr_scheduler.StepLR(o, 5, 0.1)),
        (WarmRestarts(period=4.0), lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4)),
        (
            WarmRestarts(period=2.0, growth=2, final=0.2),
            lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 2, eta_min=0.2),
        ),
        (Polynomial(power=2.0), lambda o: lr_scheduler.PolynomialLR(o, EPOCHS, 2.0)),
        (Polynomial(power=0.9), lambda o: lr_scheduler.PolynomialLR(o, EPOCHS, 0.9)),
    ],
    ids=lambda value: str(value) if isinstance(value, Schedule) else "torch's",
)
def test_rates_are_those_of_torch(schedule, theirs):
    ours = [schedule.factor(epoch, EPOCHS) for epoch in range(EPOCHS + 1)]
    assert ours == pytest.approx(torch_rates(theirs), **FLOAT64)


@pytest.mark.parametrize("schedule", ALL, ids=str)
def test_factors_are_between_0_and_1(schedule):
    factors = [schedule.factor(step / 10, EPOCHS) for step in range(10 * EPOCHS + 1)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) == pytest.approx(1, **FLOAT64)


def test_every_declared_schedule_is_among_those_tested():
    assert {schedule.name for schedule in ALL} == set(SCHEDULES)


@pytest.mark.parametrize("schedule", WARMED, ids=str)
def test_a_warm_up_rises_linearly_from_0(schedule):
    assert [schedule.factor(epoch, EPOCHS) for epoch in range(5)] == pytest.approx([0, 0.25, 0.5, 0.75, 1], **FLOAT64)


@pytest.mark.parametrize("schedule", WARMED, ids=str)
def test_the_curve_spans_the_time_after_the_warm_up(schedule):
    plain = PLAIN[schedule.name]
    for progress in (0, 0.25, 0.5, 0.75, 1):
        after = schedule.factor(4 + progress * (EPOCHS - 4), EPOCHS)
        assert after == pytest.approx(plain.factor(progress * EPOCHS, EPOCHS), **FLOAT64)


@pytest.mark.parametrize("schedule", WARMED, ids=str)
@pytest.mark.parametrize("epochs", [1, 4])
def test_a_warm_up_may_be_as_long_as_the_training_or_longer(schedule, epochs):
    assert schedule.factor(0.5, epochs) == pytest.approx(0.125, **FLOAT64)
    assert math.isfinite(schedule.factor(epochs, epochs))


@pytest.mark.parametrize(
    ("schedule", "start", "end"),
    [
        (Constant(), 1, 1),
        (Cosine(final=0.1), 1, 0.1),
        (Linear(final=0.2), 1, 0.2),
        (OneCycle(start=0.04, final=0.01), 0.04, 0.01),
    ],
    ids=str,
)
def test_a_schedule_begins_and_ends_as_declared(schedule, start, end):
    assert schedule.factor(0, EPOCHS) == pytest.approx(start, **FLOAT64)
    assert schedule.factor(EPOCHS, EPOCHS) == pytest.approx(end, **FLOAT64)


def test_a_step_falls_at_the_start_of_its_epoch_and_not_before():
    schedule = Step(at=(3,), gamma=0.1)
    assert schedule.factor(2.999, EPOCHS) == 1
    assert schedule.factor(3, EPOCHS) == pytest.approx(0.1, **FLOAT64)


def test_drops_of_exponential_come_after_every_so_many_epochs():
    schedule = Exponential(gamma=0.5, every=2.5)
    assert [schedule.factor(epoch, EPOCHS) for epoch in (0, 2.499, 2.5, 4.999, 5)] == [1, 1, 0.5, 0.5, 0.25]


def test_warm_restarts_begin_after_the_warm_up_and_grow():
    schedule = WarmRestarts(period=1.5, growth=2, warmup=1.0)
    starts = [1, 2.5, 5.5, 11.5]
    assert [schedule.factor(epoch, EPOCHS) for epoch in starts] == [1, 1, 1, 1]
    before = [schedule.factor(epoch - 1e-6, EPOCHS) for epoch in starts[1:]]
    assert max(before) < 1e-9
    assert schedule.factor(0.25, EPOCHS) == 0.25


@pytest.mark.parametrize(
    ("schedule", "argument"),
    [
        (WarmRestarts(period=13.0), "period"),
        (WarmRestarts(period=1.0, warmup=13.0), "warmup"),
        (WarmRestarts(period=12.0), None),
        (Exponential(gamma=0.5, every=12.0), "every"),
        (Exponential(gamma=0.5, every=11.0), None),
    ],
)
def test_times_after_the_end_are_named(schedule, argument):
    assert schedule.unreached(EPOCHS) == argument


def test_a_step_may_have_a_warm_up_during_which_it_falls_too():
    schedule = Step(at=(2, 6), gamma=0.5, warmup=4.0)
    assert [schedule.factor(epoch, EPOCHS) for epoch in (0, 1, 2, 3, 4, 6)] == [0, 0.25, 0.25, 0.375, 0.5, 0.25]


def test_piecewise_goes_straight_from_point_to_point():
    schedule = Piecewise(at=(2.0, 4.0, 8.0), factors=(0.5, 1.0, 0.0))
    epochs = [step / 4 for step in range(49)]
    expected = numpy.interp(epochs, schedule.at, schedule.factors)
    assert [schedule.factor(epoch, EPOCHS) for epoch in epochs] == pytest.approx(expected, **FLOAT64)


@pytest.mark.parametrize(
    ("at", "factors", "message"),
    [
        ((), (), "needs at least one point"),
        ((1.0, 2.0), (1.0,), "`at` has 2 points, but `factors` has 1"),
        ((2.0, 2.0), (1.0, 0.5), "must increase"),
        ((3.0, 2.0), (1.0, 0.5), "must increase"),
    ],
)
def test_mismatched_points_and_factors_are_refused(at, factors, message):
    with pytest.raises(MisfitError, match=message):
        Piecewise(at=at, factors=factors).check()


def test_one_cycle_goes_straight_up_to_its_peak_and_straight_down():
    schedule = OneCycle(peak=0.25, start=0.2, final=0)
    rates = [schedule.factor(epoch, 12) for epoch in (0, 1.5, 3, 7.5, 12)]
    assert rates == pytest.approx([0.2, 0.6, 1, 0.5, 0], **FLOAT64)


@pytest.mark.parametrize("anneal", ["linear", "cosine"])
@pytest.mark.parametrize(("steps", "peak"), [(12, 0.25), (40, 0.3), (100, 0.45)])
def test_one_cycle_is_that_of_torch_with_one_step_more(anneal, steps, peak):
    """Torch's rate is largest one step before `pct_start` of its steps, and smallest in the last step, not after it."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.5)
    theirs = lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=steps + 1,
        pct_start=(peak * steps + 1) / (steps + 1),
        anneal_strategy={"cosine": "cos"}.get(anneal, anneal),
        cycle_momentum=True,
        base_momentum=0.85,
        max_momentum=0.95,
        div_factor=25,
        final_div_factor=1e4,
    )
    ours = OneCycle(peak=peak, start=1 / 25, final=1 / 25e4, anneal=anneal, momentum=(0.85, 0.95))
    for step in range(steps + 1):
        (group,) = optimizer.param_groups
        values = ours.factor(step, steps), ours.momentum_at(step, steps)
        # Where a phase ends, torch divides by a rounded number of steps.
        assert values == pytest.approx((group["lr"], group["momentum"]), rel=1e-9, abs=1e-12)
        optimizer.step()
        if step < steps:
            theirs.step()
    assert ours.momentum_at(peak * steps, steps) == pytest.approx(0.85, **FLOAT64)
    assert (ours.momentum_at(0, steps), ours.momentum_at(steps, steps)) == pytest.approx((0.95, 0.95), **FLOAT64)


def test_by_default_one_cycle_differs_from_torchs_in_shape_end_and_momentum():
    steps = 100
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    theirs = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=steps)
    rates, momenta = [], []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        if len(rates) < steps:
            theirs.step()
    ours = [OneCycle().factor(step, steps) for step in range(steps)]
    assert (ours[0], rates[0]) == pytest.approx((0.04, 0.04), **FLOAT64)
    assert (ours.index(max(ours)), rates.index(max(rates))) == (30, 29)
    figures = {step: (round(ours[step], 2), round(rates[step], 2)) for step in (15, 65, 85)}
    assert figures == {15: (0.52, 0.55), 65: (0.5, 0.48), 85: (0.21, 0.1)}
    assert (round(ours[99], 4), round(rates[99], 6)) == (0.0143, 4e-6)
    assert (OneCycle().sets_momentum, min(momenta), max(momenta)) == (False, 0.85, 0.95)


def test_the_momentum_of_one_cycle_ascends():
    OneCycle(momentum=(0.9, 0.9)).check()
    with pytest.raises(MisfitError, match="minimum of `momentum` is larger than its maximum"):
        OneCycle(momentum=(0.95, 0.85)).check()


@pytest.mark.parametrize(
    "schedule", [Step(at=(3,)), Piecewise(at=(0.0, 3.0), factors=(1.0, 0.5)), Exponential(gamma=0.9)]
)
def test_epochs_in_a_schedule_count_from_the_start_also_in_a_shorter_group(schedule):
    whole, group = ([schedule.factor(epoch, epochs) for epoch in (0, 1, 2, 3)] for epochs in (EPOCHS, 4))
    assert whole == group
    assert Step(at=(3,)).factor(1.9, 2) == 1  # a group of two epochs ends before the milestone


@pytest.mark.parametrize("schedule", [Cosine(), Linear(), Polynomial(power=2.0), OneCycle()])
def test_a_curve_spans_the_epochs_of_its_group(schedule):
    assert schedule.factor(2, 4) == schedule.factor(EPOCHS / 2, EPOCHS)
