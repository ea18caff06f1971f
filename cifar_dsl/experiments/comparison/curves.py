"""Learning curves of a spec's runs."""

import statistics
from collections.abc import Callable, Sequence

from cifar_dsl.experiments.comparison.readable import FailedRun, ReadRun
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import EpochMetrics

Values = tuple[float | None, ...]


@frozen
class Curve:
    """Test accuracy (0 to 1) after each epoch: mean, minimum and maximum of the finished runs.

    They are None after an epoch in which not all of these runs were evaluated; the last ones never are. `train` is the
    mean accuracy on the augmented training images, in training. `lost` has the curve of each run that diverged or
    failed, up to its end. `first` is the epoch of the first values; later than 1, if the runs continue another one.
    """

    mean: Values
    low: Values
    high: Values
    lost: tuple[Values, ...]
    first: int = 1
    train: tuple[float, ...] = ()


def curve(runs: Sequence[ReadRun], failed: Sequence[FailedRun] = ()) -> Curve:
    """The learning curves of a spec, as far as all of its finished runs have epochs."""
    tested: list[Values] = []
    lost = [_tested(run.metrics) for run in failed if run.metrics is not None]
    for run in runs:
        (lost if run.result.accuracy is None else tested).append(_tested(run.metrics))
    trained = [[each.train_accuracy for each in run.metrics] for run in runs if run.result.accuracy is not None]
    return Curve(
        _over_runs(statistics.fmean, tested),
        _over_runs(min, tested),
        _over_runs(max, tested),
        tuple(map(_without_end, lost)),
        _first_epoch([*runs, *failed]),
        tuple(map(statistics.fmean, zip(*trained, strict=False))),
    )


def by_epoch(values: Values, first: int) -> list[tuple[int, float]]:
    """The values of a curve with their epochs, of which `first` is the first."""
    return [(epoch, value) for epoch, value in enumerate(values, first) if value is not None]


def _over_runs(function: Callable[[Sequence[float]], float], runs: Sequence[Values]) -> Values:
    """The function of the values of all runs in each epoch, None where a run has none."""
    values: list[float | None] = []
    for epoch in zip(*runs, strict=False):
        known = [value for value in epoch if value is not None]
        values.append(function(known) if len(known) == len(epoch) else None)
    return _without_end(values)


def _without_end(values: Sequence[float | None]) -> Values:
    """The values up to the last one that isn't None."""
    end = max((place + 1 for place, value in enumerate(values) if value is not None), default=0)
    return tuple(values[:end])


def _first_epoch(runs: Sequence[ReadRun | FailedRun]) -> int:
    """The first epoch of these runs, which begin alike."""
    return next((run.metrics[0].epoch for run in runs if run.metrics), 1)


def _tested(metrics: Sequence[EpochMetrics]) -> Values:
    return tuple(each.test_accuracy for each in metrics)
