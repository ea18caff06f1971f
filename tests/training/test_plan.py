"""Images are divided into steps, and steps into epochs; the last ones may be smaller."""

import pytest

from cifar_dsl.training.plan import Plan


def counts(plan: Plan) -> list[tuple[int, int]]:
    return [(plan.steps_in(epoch), plan.images_in(epoch)) for epoch in range(1, plan.epochs_begun + 1)]


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (Plan(50, 16, 2), [(4, 50), (4, 50)]),
        (Plan(50, 16, 2, drop_last=True), [(3, 48), (3, 48)]),
        (Plan(48, 16, 1, drop_last=True), [(3, 48)]),
        (Plan(100, 10, 1.1), [(10, 100), (1, 10)]),
        (Plan(100, 10, 9.9), [(10, 100)] * 9 + [(9, 90)]),
        (Plan(100, 10, 0.01), [(1, 10)]),
        (Plan(105, 10, 0.95), [(11, 105)]),
        (Plan(50_000, 2000, 8, drop_last=True), [(25, 50_000)] * 8),
        (Plan(5, 16, 1.5), [(1, 5), (1, 5)]),
        (Plan(50, 8, 1, accumulate=3), [(3, 50)]),
        (Plan(50, 8, 1.5, accumulate=3), [(3, 50), (2, 48)]),
        (Plan(50, 8, 1, drop_last=True, accumulate=4), [(2, 48)]),  # 32 images, and two batches more
        (Plan(50, 16, 1, accumulate=10), [(1, 50)]),
    ],
)
def test_steps_and_images_of_every_epoch(plan, expected):
    assert counts(plan) == expected


def test_a_step_takes_several_batches_and_the_last_one_what_is_left():
    plan = Plan(50, 8, 1, accumulate=3)
    assert [plan.batches_in_step(1, step) for step in range(plan.steps)] == [[8, 8, 8], [8, 8, 8], [2]]
    plan = Plan(50, 8, 1, drop_last=True, accumulate=4)
    assert [plan.batches_in_step(1, step) for step in range(plan.steps)] == [[8] * 4, [8] * 2]


def test_rounding_of_floats_adds_no_step():
    assert 0.07 * 100 > 7
    assert Plan(1000, 10, 1).steps_until(0.07) == 7
    assert Plan(1000, 10, 1).steps_until(0.0701) == 8


def test_a_dropped_batch_leaves_no_step():
    assert Plan(10, 16, 1, drop_last=True).steps == 0


@pytest.mark.parametrize(
    ("plan", "every", "evaluated"),
    [
        (Plan(50, 16, 5), 1, [1, 2, 3, 4, 5]),
        (Plan(50, 16, 5), 2, [2, 4, 5]),
        (Plan(50, 16, 4.5), 0, [5]),
        (Plan(50, 16, 5, has_validation=True), 0, [1, 2, 3, 4, 5]),
    ],
    ids=str,
)
def test_epochs_that_are_evaluated(plan, every, evaluated):
    assert [epoch for epoch in range(1, plan.epochs_begun + 1) if plan.has_evaluation(epoch, every)] == evaluated
