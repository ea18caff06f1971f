"""Measures of predictions, held against computations by hand."""

import numpy as np
import pytest
from helpers.tolerances import FLOAT64

from cifar_dsl.inference.evaluation import Evaluation

CLASSES = ("cat", "dog", "frog")


def evaluation(probabilities, labels) -> Evaluation:
    probabilities, labels = np.array(probabilities, np.float32), np.array(labels)
    predicted = probabilities.argmax(1)
    return Evaluation(
        data="drawn",
        is_own=False,
        weights="last",
        classes=CLASSES,
        images=np.zeros((len(labels), 8, 8, 3), np.uint8),
        labels=labels,
        probabilities=probabilities,
        predicted=predicted,
        accuracy=float((predicted == labels).mean()),
        cross_entropy=0.0,
    )


@pytest.fixture
def drawn() -> Evaluation:
    """300 random predictions, some of them certain."""
    random = np.random.RandomState(0)
    probabilities = random.dirichlet([0.5] * 3, 300)
    probabilities[:5] = [0, 1, 0]
    return evaluation(probabilities, random.randint(0, 3, 300))


@pytest.mark.parametrize("bins", [1, 2, 15])
def test_the_calibration_error_is_that_of_a_loop(drawn, bins) -> None:
    expected = 0.0
    for number in range(bins):
        inside = [
            (float(row.max()), row.argmax() == label)
            for row, label in zip(drawn.probabilities, drawn.labels, strict=True)
            if number / bins < row.max() <= (number + 1) / bins
        ]
        if inside:
            confidence = sum(one for one, _ in inside) / len(inside)
            accuracy = sum(correct for _, correct in inside) / len(inside)
            expected += len(inside) / len(drawn.labels) * abs(accuracy - confidence)
    assert drawn.calibration_error(bins) == pytest.approx(expected, **FLOAT64)


def test_the_best_classes_and_the_confusions_are_counted() -> None:
    found = evaluation([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.5, 0.4, 0.1]], [0, 1, 1, 2])
    assert [found.top_accuracy(count) for count in (1, 2, 3)] == [0.25, 0.75, 1.0]
    confusion = found.confusion()
    assert confusion.counts.tolist() == [[1, 0, 0], [1, 0, 1], [1, 0, 0]]
    assert confusion.accuracies == (1.0, 0.0, 0.0)
    assert evaluation([[0.6, 0.3, 0.1]], [0]).confusion().accuracies == (1.0, None, None)


def test_the_most_confident_mistakes_come_first() -> None:
    found = evaluation([[0.9, 0.1, 0], [0.6, 0.4, 0], [0, 0.2, 0.8], [0.8, 0.2, 0]], [0, 1, 1, 1])
    mistakes = found.mistakes()
    assert [(each.index, each.label, each.prediction.name) for each in mistakes] == [
        (2, "dog", "frog"),
        (3, "dog", "cat"),
        (1, "dog", "cat"),
    ]
    assert [each.index for each in found.mistakes(1)] == [2]
    assert mistakes._repr_html_().count("<img") == 3
    assert str(mistakes[0]) == "dog, taken for frog (image 2): 80.0 %"


def test_scores_that_are_no_numbers_are_wrong_and_never_confident() -> None:
    found = evaluation([[float("nan")] * 3, [0.2, 0.7, 0.1]], [0, 0])
    assert found.top_accuracy(2) == 0.5
    assert found.calibration_error() == pytest.approx((1 + 0.7) / 2, rel=1e-7)  # 0.7 in float32
    assert [each.index for each in found.mistakes()] == [1]
