"""Compare two specs image by image, from the predictions for every test image."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import special

from cifar_dsl.experiments.comparison.readable import ReadRun
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import PREDICTIONS
from cifar_dsl.runs.predictions import Confusion, Predictions

SHOWN = 8  # example images, fixed and broken each, and mistakes
EXAMPLES = 12  # confusions with an example image

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@frozen
class Changed:
    """An image that most networks of one spec classify correctly and most of the other don't.

    `right_before` and `right_after` count the networks with a correct prediction; `said_before` and `said_after` are
    the most common predictions.
    """

    index: int
    label: int
    said_before: int
    said_after: int
    right_before: int
    right_after: int


@frozen
class RunPair:
    """McNemar's test of one network against another on the same images; valid for these two networks only.

    `gained` counts images that only the second network gets right, `lost` those that only the first does.
    """

    seed_before: int
    seed_after: int
    gained: int
    lost: int
    p: float


@frozen
class ImageEffect:
    """The changes from the baseline to a spec, by image.

    `agreement` is the share of images with equal predictions, averaged over all pairs of a baseline's and a spec's
    network. `fixed` counts the images that most networks of the baseline get wrong and most of the spec's right,
    `broken` the reverse; `first_fixed` and `first_broken` are the clearest of them. `class_gains` are the differences
    in mean accuracy, by class.
    """

    pairs: tuple[RunPair, ...]
    agreement: float
    fixed: int
    broken: int
    first_fixed: tuple[Changed, ...]
    first_broken: tuple[Changed, ...]
    class_gains: tuple[float, ...]


@frozen
class Mistake:
    """An image that most of a spec's networks get wrong.

    `said` is the most common prediction; `truth_probability` is what the networks give the true class, on average.
    """

    index: int
    label: int
    said: int
    truth_probability: float


@frozen
class SpecImages:
    """A spec's predictions for the test images, summarized.

    `seeds` are those of the runs with saved predictions. `own_agreement` is the share of images with equal predictions,
    averaged over all pairs of the spec's networks; None for fewer than two. `confusion[i][j]` is the share of class i
    that is predicted as class j. `effect` is None for the baseline, and if the baseline has no predictions. `mistakes`
    are those with the smallest probability of the true class, `examples` one image of each of the most common
    confusions.
    """

    classes: tuple[str, ...]
    images: int
    seeds: tuple[int, ...]
    own_agreement: float | None
    confusion: tuple[tuple[float, ...], ...]
    effect: ImageEffect | None
    mistakes: tuple[Mistake, ...] = ()
    examples: tuple[Mistake, ...] = ()


@frozen(eq=False)
class SpecPredictions:
    """The saved predictions of a spec's R finished networks for N test images."""

    spec: str
    seeds: tuple[int, ...]
    labels: npt.NDArray[np.integer]  # (N,)
    predicted: npt.NDArray[np.integer]  # (R, N)
    truth_probability: npt.NDArray[np.floating]  # (R, N)
    classes: tuple[str, ...]

    @cached_property
    def right(self) -> Bools:
        """Whether each prediction is correct, (R, N)."""
        right: Bools = self.predicted == self.labels
        return right

    @cached_property
    def count_right(self) -> npt.NDArray[np.int64]:
        """How many networks get each image right, (N,)."""
        count: npt.NDArray[np.int64] = self.right.view(np.uint8).sum(axis=0, dtype=np.int64)
        return count

    @cached_property
    def share_right(self) -> Floats:
        """The share of the networks that get each image right, (N,)."""
        return self.count_right / len(self.predicted)

    @cached_property
    def mean_truth(self) -> Floats:
        """The mean probability of each image's true class, (N,)."""
        mean: Floats = self.truth_probability.mean(axis=0, dtype=np.float64)
        return mean

    @cached_property
    def votes(self) -> npt.NDArray[np.int64]:
        """How many networks predict each class for each image, (K, N)."""
        images = len(self.labels)
        cells = self.predicted.astype(np.int64) * images + np.arange(images)
        return np.bincount(cells.ravel(), minlength=len(self.classes) * images).reshape(-1, images)

    @cached_property
    def class_accuracies(self) -> Floats:
        """The mean accuracy on the images of each class, (K,); 0 for a class without images."""
        images, right = (
            np.bincount(self.labels, weights, minlength=len(self.classes)) for weights in (None, self.count_right)
        )
        return right / np.maximum(1, images * len(self.predicted))


def spec_predictions(spec: str, runs: Sequence[ReadRun]) -> SpecPredictions | None:
    """The predictions of those finished `runs` that saved them; None if none did. Raises RunError if they don't fit."""
    saved: list[tuple[int, Predictions]] = []
    for each in runs:
        if each.predictions is None or each.result.accuracy is None:
            continue
        if saved and not _same_images(saved[0][1], each.predictions):
            raise RunError(
                f"{each.run.path / PREDICTIONS} has other images or classes than the other runs of the spec",
                "train the spec again",
            )
        saved.append((each.record.seed, each.predictions))
    if not saved:
        return None
    first = saved[0][1]
    return SpecPredictions(
        spec,
        tuple(seed for seed, _ in saved),
        first.labels,
        np.stack([each.predicted for _, each in saved]),
        np.stack([each.truth_probability for _, each in saved]),
        first.classes,
    )


def describe(predictions: SpecPredictions, baseline: SpecPredictions | None) -> SpecImages:
    """Summarize a spec's predictions, alone and against the baseline's. Raises RunError for different images."""
    if baseline and not _same_images(predictions, baseline):
        raise RunError(
            f"the predictions of {predictions.spec} and {baseline.spec} have different images or classes",
            "train both on the same dataset",
        )
    shares = Confusion.of(predictions.labels, predictions.predicted, predictions.classes).shares
    return SpecImages(
        classes=predictions.classes,
        images=len(predictions.labels),
        seeds=predictions.seeds,
        own_agreement=_own_agreement(predictions),
        confusion=tuple(tuple(map(float, row)) for row in shares),
        effect=_effect(baseline, predictions) if baseline else None,
        mistakes=_mistakes(predictions),
        examples=_examples(predictions, shares),
    )


def _mistakes(predictions: SpecPredictions) -> tuple[Mistake, ...]:
    wrong = np.flatnonzero(predictions.share_right < 0.5)
    first = wrong[np.argsort(predictions.mean_truth[wrong], kind="stable")][:SHOWN]
    return tuple(_mistake(predictions, int(i), _most_common(predictions.predicted[:, i])) for i in first)


def _examples(predictions: SpecPredictions, shares: npt.NDArray[np.float64]) -> tuple[Mistake, ...]:
    """Of each confusion, the image that most networks confuse so; the least probable true class of several."""
    others = shares - np.diag(np.diag(shares))
    found = []
    for cell in np.argsort(-others, axis=None, kind="stable")[:EXAMPLES]:
        label, said = divmod(int(cell), len(predictions.classes))
        if others[label, said] > 0:
            share = predictions.votes[said] / len(predictions.predicted) * (predictions.labels == label)
            found.append(_mistake(predictions, int(np.argmax(share - predictions.mean_truth / 1000)), said))
    return tuple(found)


def _mistake(predictions: SpecPredictions, index: int, said: int) -> Mistake:
    probability = round(float(predictions.mean_truth[index]), 4)
    return Mistake(index, int(predictions.labels[index]), said, probability)


def mcnemar(before: Bools, after: Bools) -> tuple[int, int, float]:
    """The numbers of images gained and lost, and the exact two-sided p of McNemar's test.

    `before` and `after`, of shape (N,), mark the images that each network gets right.
    """
    gained, lost = int(np.count_nonzero(after & ~before)), int(np.count_nonzero(before & ~after))
    p = 2 * float(special.bdtr(min(gained, lost), gained + lost, 0.5))  # twice the tail of a fair coin
    return gained, lost, min(1.0, p)


def _same_images(a: Predictions | SpecPredictions, b: Predictions | SpecPredictions) -> bool:
    """Whether both have the same labels and class names."""
    return a.classes == b.classes and np.array_equal(a.labels, b.labels)


def _own_agreement(predictions: SpecPredictions) -> float | None:
    """The share of images with equal predictions, averaged over all pairs of different networks; None without any."""
    runs, images = predictions.predicted.shape
    # Each of the v networks that predict a class for an image agrees with v - 1 others.
    agreeing = int(np.vdot(predictions.votes, predictions.votes)) - predictions.predicted.size
    return agreeing / images / (runs * (runs - 1)) if runs > 1 else None


def _agreement(before: SpecPredictions, after: SpecPredictions) -> float:
    """The share of images with equal predictions, averaged over all pairs of a network of each spec."""
    pairs = len(before.predicted) * after.predicted.size
    return int(np.vdot(before.votes, after.votes)) / pairs


def _effect(before: SpecPredictions, after: SpecPredictions) -> ImageEffect:
    fixed = (before.share_right < 0.5) & (after.share_right > 0.5)
    broken = (before.share_right > 0.5) & (after.share_right < 0.5)
    # Clearest first: by the share of networks that changed, then by the change in the true class's probability.
    gain = (after.share_right - before.share_right) + (after.mean_truth - before.mean_truth) / 1000
    return ImageEffect(
        pairs=_pairs(before, after),
        agreement=_agreement(before, after),
        fixed=int(fixed.sum()),
        broken=int(broken.sum()),
        first_fixed=_first(before, after, fixed, -gain),
        first_broken=_first(before, after, broken, gain),
        class_gains=tuple(map(float, after.class_accuracies - before.class_accuracies)),
    )


def _pairs(before: SpecPredictions, after: SpecPredictions) -> tuple[RunPair, ...]:
    """Tests of networks with the same seed; if the specs share no seed, in order of seeds."""
    shared = [seed for seed in before.seeds if seed in after.seeds]
    couples = [(seed, seed) for seed in shared] or list(zip(before.seeds, after.seeds, strict=False))
    pairs = []
    for a, b in couples:
        ours, theirs = before.right[before.seeds.index(a)], after.right[after.seeds.index(b)]
        pairs.append(RunPair(a, b, *mcnemar(ours, theirs)))
    return tuple(pairs)


def _first(
    before: SpecPredictions, after: SpecPredictions, chosen: Bools, order: npt.NDArray[np.floating]
) -> tuple[Changed, ...]:
    indices = np.flatnonzero(chosen)
    indices = indices[np.argsort(order[indices], kind="stable")][:SHOWN]
    return tuple(
        Changed(
            index=int(i),
            label=int(before.labels[i]),
            said_before=_most_common(before.predicted[:, i]),
            said_after=_most_common(after.predicted[:, i]),
            right_before=int(before.count_right[i]),
            right_after=int(after.count_right[i]),
        )
        for i in indices
    )


def _most_common(classes: npt.NDArray[np.integer]) -> int:
    return int(np.bincount(classes).argmax())
