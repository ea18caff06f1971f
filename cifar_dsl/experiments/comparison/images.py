"""Two specs compared image by image, from what their networks said of every test image."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
from attrs import field
from scipy import stats

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import PREDICTIONS, Run
from cifar_dsl.runs.predictions import Predictions, read_predictions

SHOWN = 8  # images of each kind

Bools = npt.NDArray[np.bool_]


@frozen
class Changed:
    """An image that one spec's networks see differently from the other's.

    `right_before` and `right_after` count the networks that were right; `said_before` and `said_after` are the
    classes that most of them gave.
    """

    index: int
    label: int
    said_before: int
    said_after: int
    right_before: int
    right_after: int


@frozen
class RunPair:
    """McNemar's test of one network against another on the same images: it speaks of these two networks alone.

    `gained` images are right in the second and wrong in the first; `lost` the other way round.
    """

    seed_before: int
    seed_after: int
    gained: int
    lost: int
    p: float


@frozen
class ImageEffect:
    """What changes for single images from the baseline to a spec.

    `agreement` is the share of images to which a network of each gives the same class, over all pairs of networks.
    `fixed` counts the images that most networks of the baseline get wrong and most of the spec right, `broken` those
    the other way round; the first of each are listed. `class_gains` are differences of the mean share that is right, by
    class.
    """

    pairs: tuple[RunPair, ...]
    agreement: float
    fixed: int
    broken: int
    first_fixed: tuple[Changed, ...]
    first_broken: tuple[Changed, ...]
    class_gains: tuple[float, ...]


@frozen
class SpecImages:
    """What a spec's networks say of the test images.

    `seeds` are those of the runs whose predictions were kept. `own_agreement` is the share of images to which two
    networks of the spec give the same class, over all pairs; None for fewer than two. `confusion[i][j]` is the share
    of the images of class i that get class j. `effect` is None for the baseline, and where it kept no predictions.
    """

    classes: tuple[str, ...]
    images: int
    seeds: tuple[int, ...]
    own_agreement: float | None
    confusion: tuple[tuple[float, ...], ...]
    effect: ImageEffect | None


@frozen(eq=False)
class Answers:
    """All kept answers of a spec's finished networks: one row a network."""

    spec: str
    seeds: tuple[int, ...]
    labels: npt.NDArray[np.integer]  # (N,)
    predicted: npt.NDArray[np.integer]  # (R, N)
    truth_probability: npt.NDArray[np.floating]  # (R, N)
    classes: tuple[str, ...]
    right: Bools = field(init=False)  # (R, N)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "right", self.predicted == self.labels)


def read_answers(spec: str, runs: Sequence[Run]) -> Answers | None:
    """The answers of those of `runs` that kept them; None where none did. Raises RunError."""
    kept: list[tuple[int, Predictions]] = []
    for run in runs:
        found = read_predictions(run.path / PREDICTIONS)
        if found is None or run.result().accuracy is None:
            continue
        if kept and not _same_images(kept[0][1], found):
            raise RunError(
                f"{run.path / PREDICTIONS} is of other images or classes than those beside it", "train the spec again"
            )
        kept.append((run.record().seed, found))
    if not kept:
        return None
    first = kept[0][1]
    return Answers(
        spec,
        tuple(seed for seed, _ in kept),
        first.labels,
        np.stack([found.predicted for _, found in kept]),
        np.stack([found.truth_probability for _, found in kept]),
        first.classes,
    )


def describe(answers: Answers, baseline: Answers | None) -> SpecImages:
    """A spec's networks by themselves, and against the baseline's. Raises RunError for different images."""
    if baseline and not _same_images(answers, baseline):
        raise RunError(
            f"the predictions of {answers.spec} are of other images or classes than those of {baseline.spec}",
            "train both on the same data",
        )
    count = len(answers.classes)
    cells = answers.labels.astype(np.int64) * count + answers.predicted
    table = np.bincount(cells.ravel(), minlength=count * count).reshape(count, count)
    shares = table / np.maximum(1, table.sum(axis=1, keepdims=True))
    own = [float((a == b).mean()) for a, b in combinations(answers.predicted, 2)]
    return SpecImages(
        classes=answers.classes,
        images=len(answers.labels),
        seeds=answers.seeds,
        own_agreement=sum(own) / len(own) if own else None,
        confusion=tuple(tuple(map(float, row)) for row in shares),
        effect=_effect(baseline, answers) if baseline else None,
    )


def mcnemar(before: Bools, after: Bools) -> tuple[int, int, float]:
    """Images gained and lost, (N,) each, and the exact two-sided p of McNemar's test."""
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    p = float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return gained, lost, p


def _same_images(a: Predictions | Answers, b: Predictions | Answers) -> bool:
    """Whether both are of images with the same labels, whose classes have the same names."""
    return a.classes == b.classes and np.array_equal(a.labels, b.labels)


def _effect(before: Answers, after: Answers) -> ImageEffect:
    agreement = np.mean([(a == b).mean() for a in before.predicted for b in after.predicted])
    share_before, share_after = before.right.mean(axis=0), after.right.mean(axis=0)
    fixed = (share_before < 0.5) & (share_after > 0.5)
    broken = (share_before > 0.5) & (share_after < 0.5)
    # The clearest first: most networks that changed, then the greatest change of what they thought of the right class.
    moved = after.truth_probability.astype(float).mean(axis=0) - before.truth_probability.astype(float).mean(axis=0)
    gain = (share_after - share_before) + moved / 1000
    classes = range(len(before.classes))
    return ImageEffect(
        pairs=_pairs(before, after),
        agreement=float(agreement),
        fixed=int(fixed.sum()),
        broken=int(broken.sum()),
        first_fixed=_first(before, after, fixed, -gain),
        first_broken=_first(before, after, broken, gain),
        class_gains=tuple(_mean_right(after, number) - _mean_right(before, number) for number in classes),
    )


def _pairs(before: Answers, after: Answers) -> tuple[RunPair, ...]:
    """Networks of one seed; where the specs share none, one after the other."""
    shared = [seed for seed in before.seeds if seed in after.seeds]
    couples = [(seed, seed) for seed in shared] or list(zip(before.seeds, after.seeds, strict=False))
    pairs = []
    for a, b in couples:
        ours, theirs = before.right[before.seeds.index(a)], after.right[after.seeds.index(b)]
        pairs.append(RunPair(a, b, *mcnemar(ours, theirs)))
    return tuple(pairs)


def _first(before: Answers, after: Answers, chosen: Bools, order: npt.NDArray[np.floating]) -> tuple[Changed, ...]:
    indices = np.flatnonzero(chosen)
    indices = indices[np.argsort(order[indices], kind="stable")][:SHOWN]
    return tuple(
        Changed(
            index=int(i),
            label=int(before.labels[i]),
            said_before=_most_common(before.predicted[:, i]),
            said_after=_most_common(after.predicted[:, i]),
            right_before=int(before.right[:, i].sum()),
            right_after=int(after.right[:, i].sum()),
        )
        for i in indices
    )


def _most_common(classes: npt.NDArray[np.integer]) -> int:
    return int(np.bincount(classes).argmax())


def _mean_right(answers: Answers, number: int) -> float:
    chosen = answers.right[:, answers.labels == number]
    return float(chosen.mean()) if chosen.size else 0.0
