"""How good a network's predictions for labelled images are: accuracies, confusion, calibration, mistakes."""

import html
from collections.abc import Iterator
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import accuracy_in_percent, percent
from cifar_dsl.inference.prediction import Prediction
from cifar_dsl.inference.sheet import Card, as_fragment, as_png
from cifar_dsl.runs.predictions import Confusion

BINS = 15  # of the calibration error, as in Guo et al.
TOP = 5
SHOWN = 24  # mistakes


@frozen(eq=False, repr=False)
class Mistake:
    """A wrong prediction: the number of the image, its true class, and the image, (H, W, C) uint8."""

    index: int
    label: str
    prediction: Prediction
    image: npt.NDArray[np.uint8]

    @property
    def caption(self) -> str:
        """What it is and what the network takes it for, in words."""
        return f"{self.label}, taken for {self.prediction.name} (image {self.index})"

    @property
    def card(self) -> Card:
        """The mistake on a sheet of pictures."""
        return Card((as_png(self.image),), self.caption, self.prediction.top(3))

    def __str__(self) -> str:
        return f"{self.caption}: {percent(self.prediction.probability)}"

    def __repr__(self) -> str:
        return f"<Mistake: {self}>"


class Mistakes(tuple[Mistake, ...]):
    """Wrong predictions, the most confident first. In a notebook, a sheet of pictures."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return as_fragment([mistake.card for mistake in self])


@frozen(eq=False, repr=False)
class Evaluation:
    """A network's predictions for N labelled images.

    `data` names the images, for people, and `is_own`: whether they are the test images of the run's dataset. `weights`
    are those of the last or the best epoch. `probabilities` are (N, K) float32, `labels` (N,), and `images`
    (N, H, W, C) uint8. `loss` is the recipe's, None for other images.
    """

    data: str
    is_own: bool
    weights: Literal["last", "best"]
    classes: tuple[str, ...]
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    predicted: npt.NDArray[np.int64]
    accuracy: float
    cross_entropy: float
    loss: float | None = None

    def top_accuracy(self, count: int = TOP) -> float:
        """The share of images whose true class is among the `count` most probable; NaN is never, ties are."""
        truth = np.take_along_axis(self.probabilities, self.labels[:, None], axis=1)
        is_above = ~(self.probabilities <= truth)
        return float((is_above.sum(axis=1) < count).mean())

    def confusion(self) -> Confusion:
        """The confusion matrix."""
        return Confusion.of(self.labels, self.predicted, self.classes)

    def calibration_error(self, bins: int = BINS) -> float:
        """The expected calibration error: how far confidence is from accuracy, averaged over the images.

        Images are put in `bins` of equal width by their confidence, the probability of the predicted class: bin b of B
        holds those in (b / B, (b + 1) / B]. The error is the sum over all bins of
        n_b / N * |accuracy of the bin - mean confidence of the bin| (Guo et al. 2017,
        https://arxiv.org/abs/1706.04599).
        """
        confidence = self._confidence.astype(np.float64)
        bin_of = (np.ceil(confidence * bins).astype(np.int64) - 1).clip(0, bins - 1)
        surplus = (self.predicted == self.labels) - confidence
        return float(np.abs(np.bincount(bin_of, surplus, minlength=bins)).sum() / len(confidence))

    def mistakes(self, count: int = SHOWN) -> Mistakes:
        """The wrong predictions of the highest probability; of equal ones, that of the first image."""
        wrong = np.flatnonzero(self.predicted != self.labels)
        order = wrong[np.argsort(-self._confidence[wrong], kind="stable")][: max(0, count)]
        return Mistakes(self._mistakes(order))

    def _mistakes(self, order: npt.NDArray[np.int64]) -> Iterator[Mistake]:
        for index in order.tolist():
            probabilities = tuple(map(float, self.probabilities[index]))
            label = self.classes[self.labels[index]]
            yield Mistake(index, label, Prediction(self.classes, probabilities), self.images[index])

    @cached_property
    def _confidence(self) -> npt.NDArray[np.float32]:
        """The probabilities of the predictions, (N,); 0 for NaN."""
        return np.nan_to_num(np.take_along_axis(self.probabilities, self.predicted[:, None], axis=1)[:, 0])

    def __str__(self) -> str:
        return f"accuracy {accuracy_in_percent(self.accuracy)} on {len(self.labels):,} images of {self.data}"

    def __repr__(self) -> str:
        return f"<Evaluation: {self}>"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>{self.confusion()._repr_html_()}"
