"""The Pareto front: what no other spec beats at its price."""

import pytest
from helpers.tolerances import FLOAT64

from cifar_dsl.experiments.comparison import compare
from cifar_dsl.experiments.comparison.curves import curve
from cifar_dsl.experiments.comparison.efficiency import PRICES, Price, front


@pytest.fixture
def front_of(entry):
    def find(price: Price = PRICES[0], **specs: tuple[int, float | None]) -> list[str]:
        entries = [
            entry(name, parameters=parameters, accuracies=[accuracy]) for name, (parameters, accuracy) in specs.items()
        ]
        return [row.name for row in front(compare(entries).rows, price)]

    return find


def test_a_row_that_costs_more_and_is_no_better_is_left_out(front_of):
    assert front_of(a=(100, 0.5), b=(200, 0.7), c=(300, 0.7), d=(400, 0.6), e=(500, 0.8)) == ["a", "b", "e"]


def test_of_one_price_the_best_is_on_the_front(front_of):
    assert front_of(a=(100, 0.5), b=(100, 0.6), c=(100, 0.55)) == ["b"]


def test_a_row_without_accuracy_or_cost_is_left_out(front_of):
    assert front_of(a=(100, None), b=(200, 0.7)) == ["b"]
    energy = next(price for price in PRICES if price.name == "energy")
    assert front_of(energy, a=(100, 0.5)) == []


def test_a_curve_is_the_mean_and_the_extremes_of_the_finished_runs(entry):
    made = entry("base", accuracies=[0.6, None, 0.7], curves=[[0.4, 0.6], [0.3], [0.5, 0.7]])
    found = curve(made.runs)
    assert found.mean == pytest.approx((0.45, 0.65), **FLOAT64)
    assert (found.low, found.high) == ((0.4, 0.6), (0.5, 0.7))
    assert found.lost == ((0.3,),)
    assert curve(()).mean == ()
