"""Learning curves of a spec's runs."""

from collections.abc import Sequence
from contextlib import suppress

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import Run


@frozen
class Curve:
    """Test accuracy (0 to 1) after each epoch: mean, minimum and maximum of the finished runs.

    `lost` has the curve of each run that diverged or failed, up to its end. `first` is the epoch of the first values;
    later than 1, if the runs continue another one.
    """

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    lost: tuple[tuple[float, ...], ...]
    first: int = 1


def curve(runs: Sequence[Run], failed: Sequence[Run] = ()) -> Curve:
    """The learning curves of a spec, as far as all of its finished runs have epochs. Raises RunError."""
    finished: list[tuple[float, ...]] = []
    lost: list[tuple[float, ...]] = []
    for run in failed:
        with suppress(RunError):  # interrupted while writing its metrics
            lost.append(_accuracies(run))
    for run in runs:
        (lost if run.result().accuracy is None else finished).append(_accuracies(run))
    epochs = list(zip(*finished, strict=False))
    return Curve(
        tuple(sum(epoch) / len(epoch) for epoch in epochs),
        tuple(map(min, epochs)),
        tuple(map(max, epochs)),
        tuple(lost),
        _first_epoch([*runs, *failed]),
    )


def _first_epoch(runs: Sequence[Run]) -> int:
    """The first epoch of these runs, which begin alike."""
    for run in runs:
        with suppress(RunError):
            if metrics := run.metrics():
                return metrics[0].epoch
    return 1


def _accuracies(run: Run) -> tuple[float, ...]:
    return tuple(metrics.test_accuracy for metrics in run.metrics())
