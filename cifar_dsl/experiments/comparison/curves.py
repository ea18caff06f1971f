"""Learning curves of a spec's runs."""

from collections.abc import Sequence

from cifar_dsl.experiments.comparison.readable import FailedRun, ReadRun
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import EpochMetrics


@frozen
class Curve:
    """Test accuracy (0 to 1) after each epoch: mean, minimum and maximum of the finished runs.

    `train` is the mean accuracy on the augmented training images, in training. `lost` has the curve of each run that
    diverged or failed, up to its end. `first` is the epoch of the first values; later than 1, if the runs continue
    another one.
    """

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    lost: tuple[tuple[float, ...], ...]
    first: int = 1
    train: tuple[float, ...] = ()


def curve(runs: Sequence[ReadRun], failed: Sequence[FailedRun] = ()) -> Curve:
    """The learning curves of a spec, as far as all of its finished runs have epochs."""
    finished: list[tuple[float, ...]] = []
    lost = [_accuracies(run.metrics) for run in failed if run.metrics is not None]
    for run in runs:
        (lost if run.result.accuracy is None else finished).append(_accuracies(run.metrics))
    epochs = list(zip(*finished, strict=False))
    trained = [[each.train_accuracy for each in run.metrics] for run in runs if run.result.accuracy is not None]
    return Curve(
        tuple(sum(epoch) / len(epoch) for epoch in epochs),
        tuple(map(min, epochs)),
        tuple(map(max, epochs)),
        tuple(lost),
        _first_epoch([*runs, *failed]),
        tuple(sum(epoch) / len(epoch) for epoch in zip(*trained, strict=False)),
    )


def _first_epoch(runs: Sequence[ReadRun | FailedRun]) -> int:
    """The first epoch of these runs, which begin alike."""
    return next((run.metrics[0].epoch for run in runs if run.metrics), 1)


def _accuracies(metrics: Sequence[EpochMetrics]) -> tuple[float, ...]:
    return tuple(each.test_accuracy for each in metrics)
