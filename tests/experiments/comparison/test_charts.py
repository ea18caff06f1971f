"""Where the names of curves stand."""

import pytest

from cifar_dsl.experiments.comparison.charts import _apart


@pytest.mark.parametrize(
    ("places", "moved"),
    [
        ([], []),
        ([20, 60], [20, 60]),
        ([50, 50], [45, 55]),  # both move, around their mean
        ([50, 52, 54, 90], [42, 52, 62, 90]),
        ([50, 50, 65], [45, 55, 65]),  # the third is far enough away
        ([50, 50, 60], [43.333333333333336, 53.333333333333336, 63.333333333333336]),  # here it is pushed on
        ([10, 10, 12], [10, 20, 30]),  # not above the frame
        ([99, 99], [90, 100]),  # nor below it
    ],
)
def test_names_move_apart_as_little_as_possible(places: list[float], moved: list[float]) -> None:
    assert _apart(places, 10, 10, 100) == moved
