"""Trainings that learned nothing are told from those that learned little."""

import math

import numpy as np
import pytest
from helpers.runs import write

from cifar_dsl.foundation.records import evolve
from cifar_dsl.runs import PREDICTIONS
from cifar_dsl.runs.chance import LEVEL, chance_of, chance_p, find_chance
from cifar_dsl.runs.predictions import Predictions, read_predictions, write_predictions


def predictions(labels: np.ndarray, predicted: np.ndarray, classes: int = 10) -> Predictions:
    return Predictions(labels, predicted, np.zeros(len(labels), np.float16), tuple(map(str, range(classes))))


def guesses(random: np.random.Generator, count: int, classes: int, correct: float, shares=None) -> Predictions:
    """Predictions that are right for a share of the images, and drawn at random for the others."""
    labels = random.choice(classes, count, p=shares).astype(np.uint8)
    guessed = random.choice(classes, count, p=shares).astype(np.uint8)
    return predictions(labels, np.where(random.random(count) < correct, labels, guessed), classes)


@pytest.mark.parametrize(
    ("count", "classes", "shares"),
    [(10_000, 10, None), (2_000, 100, None), (200, 2, None), (40, 10, None), (2_000, 2, [0.95, 0.05])],
)
def test_guessing_is_found_and_a_little_learning_is_not(count, classes, shares):
    random = np.random.default_rng(0)
    found = [chance_p(guesses(random, count, classes, 0.0, shares)) for _ in range(500)]
    # Of 500, 5 are expected below LEVEL, and hardly ever more than 15.
    assert sum(p < LEVEL for p in found) <= 15
    assert np.mean(found) == pytest.approx(0.5, abs=0.1)  # ties count: with 40 images, they add 0.08
    assert all(chance_p(guesses(random, count, classes, 0.6, shares)) < LEVEL for _ in range(20))


def test_the_mean_and_variance_are_those_of_all_permutations():
    random = np.random.default_rng(1)
    labels = random.choice(4, 300, p=[0.6, 0.2, 0.1, 0.1]).astype(np.uint8)
    predicted = random.choice(4, 300, p=[0.5, 0.5, 0.0, 0.0]).astype(np.uint8)
    for better in (0, 5, 10):
        right = np.flatnonzero(labels == 1)[:better]
        changed = predicted.copy()
        changed[right] = 1
        observed = (changed == labels).sum()
        exact = np.mean([(random.permutation(changed) == labels).sum() >= observed for _ in range(4000)])
        # 4,000 permutations have a standard error of at most 0.008, and the normal approximation is as far off.
        assert chance_p(predictions(labels, changed, 4)) == pytest.approx(exact, abs=0.04)


def test_few_images_have_the_exact_variance_of_a_permutation():
    # Of 4 images with 2 classes, 0, 2 or 4 are right with the probabilities 1/6, 4/6 and 1/6: a variance of 1/12.
    labels = np.array([0, 0, 1, 1])
    expected = 0.5 * math.erfc((1 - 0.5 - 1 / 8) / math.sqrt(2 / 12))
    # The same function of numbers in float64.
    assert chance_p(predictions(labels, labels, 2)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shares", [None, [0.91, *[0.01] * 9]])
def test_one_class_for_all_images_is_chance_however_common_it_is(shares):
    labels = np.random.default_rng(0).choice(10, 2000, p=shares).astype(np.uint8)
    assert chance_p(predictions(labels, np.zeros_like(labels))) == 1.0


def test_a_right_answer_for_a_single_class_is_chance_too():
    labels = np.zeros(50, np.uint8)
    assert chance_p(predictions(labels, labels)) == 1.0


def written(tmp_path, predicted: np.ndarray):
    run = write(tmp_path)
    labels = np.arange(len(predicted)) % 10
    names = [f"name {i}" for i in range(10)]
    write_predictions(
        run.path / PREDICTIONS,
        labels=labels,
        predicted=predicted,
        truth_probability=np.zeros(len(predicted)),
        classes=names,
    )
    return run


def test_a_finding_names_the_run_the_figures_and_the_usual_cause(tmp_path):
    found = find_chance(written(tmp_path, np.random.default_rng(0).integers(0, 10, 2000)))
    assert found.message.startswith("mine seed 0 is at chance level: an accuracy of ")
    assert found.message.endswith("on 2,000 test images is no better than guessing")
    assert "the learning rate is too high: lower it (--set train.optimizer.lr=...)" in found.help[0]


def test_a_first_try_is_advised_to_train_longer_first(tmp_path):
    run = written(tmp_path, np.full(2000, 3))
    record = run.record()
    part = evolve(record, data=evolve(record.data, train_images=1000, of_train_images=10_000))
    found = chance_of(read_predictions(run.path / PREDICTIONS), part)
    assert found.help == (
        "it trained on 1,000 of 10,000 images only: train on more (--fast 2000), or for more epochs (--epochs)",
        *find_chance(run).help,
    )


def test_a_finding_names_the_only_predicted_class(tmp_path):
    found = find_chance(written(tmp_path, np.full(2000, 3)))
    assert found.message == "mine seed 0 is at chance level: it predicts name 3 for all 2,000 test images"


def test_a_run_that_learned_has_no_finding(tmp_path):
    assert find_chance(written(tmp_path, np.arange(2000) % 10)) is None


def test_without_predictions_there_is_no_finding(tmp_path):
    run = write(tmp_path)
    assert find_chance(run) is None
    (run.path / PREDICTIONS).write_bytes(b"damaged")
    assert find_chance(run) is None
