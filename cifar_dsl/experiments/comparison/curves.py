"""How the runs of a spec learned: its learning curves, with their band."""

from collections.abc import Sequence
from contextlib import suppress

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import Run


@frozen
class Curve:
    """Test accuracy after each epoch: the mean, the lowest and the highest of the finished runs.

    `lost` holds what there is of each run that diverged or failed.
    """

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    lost: tuple[tuple[float, ...], ...]


def curve(runs: Sequence[Run], failed: Sequence[Run] = ()) -> Curve:
    """The curve of a spec. Epochs that not all of its finished runs have are left out. Raises RunError."""
    finished: list[tuple[float, ...]] = []
    lost: list[tuple[float, ...]] = []
    for run in failed:
        with suppress(RunError):  # broken off while it wrote
            lost.append(_accuracies(run))
    for run in runs:
        (lost if run.result().accuracy is None else finished).append(_accuracies(run))
    epochs = list(zip(*finished, strict=False))
    return Curve(
        tuple(sum(epoch) / len(epoch) for epoch in epochs),
        tuple(map(min, epochs)),
        tuple(map(max, epochs)),
        tuple(lost),
    )


def _accuracies(run: Run) -> tuple[float, ...]:
    return tuple(metrics.test_accuracy for metrics in run.metrics())
