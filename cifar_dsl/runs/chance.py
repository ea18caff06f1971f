"""Finds trainings that learned nothing: their predictions have nothing to do with the true classes.

The test holds the numbers of images of each true class and of each predicted class fixed, and asks how many predictions
would be correct if the predictions were dealt to the images at random: the exact mean and variance of a permutation
test, as for Cohen's kappa. It accounts for the number of images and classes, for unbalanced classes, and for networks
that predict some classes more often than others.
"""

import math

import numpy as np

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.foundation.text import accuracy_in_percent
from cifar_dsl.runs.folder import Run
from cifar_dsl.runs.places import PREDICTIONS
from cifar_dsl.runs.predictions import Predictions, read_predictions
from cifar_dsl.runs.records import DataRecord, RunRecord

LEVEL = 0.01  # of the test: of a hundred trainings that learned nothing, one isn't reported
_ROUNDING = 1e-15


_TOO_HIGH = (
    "usually the learning rate is too high: lower it (--set train.optimizer.lr=...), or clip gradients "
    "(--set 'train.clip=norm(1)')"
)
_OTHERWISE = "otherwise train longer, and check that each label belongs to its image"


@frozen
class Chance:
    """A finished training that is no better than guessing, as its test images show, and what usually causes it."""

    message: str
    help: tuple[str, ...] = (_TOO_HIGH, _OTHERWISE)


def find_chance(run: Run) -> Chance | None:
    """The finding for a complete run; None if it is better than chance, or if nothing is known of its predictions."""
    try:
        predictions = read_predictions(run.path / PREDICTIONS)
        return chance_of(predictions, run.record()) if predictions else None
    except RunError:
        return None


def chance_of(predictions: Predictions, record: RunRecord) -> Chance | None:
    """The finding for the predictions of a run; None if they are better than chance."""
    if chance_p(predictions) < LEVEL:
        return None
    count, predicted = len(predictions.labels), np.unique(predictions.predicted)
    subject = f"{record.spec.name} seed {record.seed} is at chance level"
    if len(predicted) == 1:
        found = Chance(f"{subject}: it predicts {predictions.classes[predicted[0]]} for all {count:,} test images")
    else:
        accuracy = accuracy_in_percent(float(predictions.is_correct.mean()))
        found = Chance(f"{subject}: an accuracy of {accuracy} on {count:,} test images is no better than guessing")
    return evolve(found, help=(_too_few(record.data), *found.help)) if record.data.subset else found


def _too_few(data: DataRecord) -> str:
    return (
        f"it trained on {data.train_images:,} of {data.of_train_images:,} images only: train on more "
        f"(--fast {2 * data.train_images}), or for more epochs (--epochs)"
    )


def chance_p(predictions: Predictions) -> float:
    """The probability that at least as many predictions are correct by chance; 1 for a single predicted class."""
    n, classes = len(predictions.labels), len(predictions.classes)
    labels, predicted = (
        np.bincount(each, minlength=classes) / n for each in (predictions.labels, predictions.predicted)
    )
    both = labels * predicted
    mean = float(both.sum())  # of the share that is correct
    variance = (mean + mean**2 - float(both @ (labels + predicted))) / max(1, n - 1)
    if variance < _ROUNDING:  # a single class
        return 1.0
    correct = float(predictions.is_correct.mean()) - 0.5 / n  # corrected for continuity
    return 0.5 * math.erfc((correct - mean) / math.sqrt(2 * variance))
