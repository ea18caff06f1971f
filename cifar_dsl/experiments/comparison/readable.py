"""Reads what a comparison needs of runs, each file once, beside damaged ones."""

from pathlib import Path

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.runs import (
    PREDICTIONS,
    EpochMetrics,
    Run,
    RunRecord,
    RunResult,
    check_place,
    failed_runs,
    runs_in_place,
)
from cifar_dsl.runs.chance import Chance, chance_of
from cifar_dsl.runs.predictions import Predictions, predictions_of


@frozen(eq=False)
class ReadRun:
    """A complete run with what a comparison needs of it. `predictions` is None if none were saved."""

    run: Run
    record: RunRecord
    result: RunResult
    metrics: tuple[EpochMetrics, ...]
    predictions: Predictions | None
    chance: Chance | None


@frozen(eq=False)
class FailedRun:
    """A run whose training failed, with what a comparison needs of it. `metrics` is None if they are damaged."""

    run: Run
    record: RunRecord
    metrics: tuple[EpochMetrics, ...] | None


@define
class ReadableRuns:
    """The complete runs by seed, the failed ones, and the error of each damaged or misplaced run."""

    complete: list[ReadRun] = field(factory=list)
    failed: list[FailedRun] = field(factory=list)
    errors: list[RunError] = field(factory=list)


def readable_runs(root: Path, fingerprint: str) -> ReadableRuns:
    """The runs of a fingerprint below `root`, sorted out by reading everything that a comparison needs of them."""
    found = ReadableRuns()
    for run in runs_in_place(root, fingerprint):
        try:
            read = read_run(run)
            check_place(run.path, read.record)
        except RunError as error:
            found.errors.append(error)
        else:
            found.complete.append(read)
    found.complete.sort(key=lambda read: read.record.seed)  # stable: by path among equals
    found.failed += map(read_failed, failed_runs(root, fingerprint))
    return found


def read_run(run: Run) -> ReadRun:
    """Read a complete run. Raises RunError."""
    complete = run.complete()
    predictions = None
    if complete.files.has(PREDICTIONS):
        predictions = predictions_of(complete.files.content(PREDICTIONS), run.path / PREDICTIONS)
    chance = chance_of(predictions, complete.record) if predictions else None
    return ReadRun(run, complete.record, complete.result, tuple(complete.metrics()), predictions, chance)


def read_failed(run: Run) -> FailedRun:
    """Read a run whose training failed. Raises RunError if its record is damaged."""
    try:
        metrics: tuple[EpochMetrics, ...] | None = tuple(run.metrics())
    except RunError:  # it failed while it wrote them
        metrics = None
    return FailedRun(run, run.record(), metrics)
