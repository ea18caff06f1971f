"""Finds the runs that a comparison can read, beside damaged ones."""

from pathlib import Path

from attrs import define, field

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.runs import PREDICTIONS, Run, check_place, failed_runs, runs_in_place
from cifar_dsl.runs.predictions import read_predictions


@define
class ReadableRuns:
    """The complete runs by seed, the failed ones, and the error of each damaged or misplaced run."""

    complete: list[Run] = field(factory=list)
    failed: list[Run] = field(factory=list)
    errors: list[RunError] = field(factory=list)


def readable_runs(root: Path, fingerprint: str) -> ReadableRuns:
    """The runs of a fingerprint below `root`, sorted out by reading everything that a comparison needs of them."""
    found = ReadableRuns()
    for run in runs_in_place(root, fingerprint):
        try:
            check_place(run.path, run.record())
            run.result()
            run.metrics()
            read_predictions(run.path / PREDICTIONS)
        except RunError as error:
            found.errors.append(error)
        else:
            found.complete.append(run)
    found.complete.sort(key=lambda run: run.record().seed)  # stable: by path among equals
    for run in failed_runs(root, fingerprint):
        try:
            run.metrics()
        except RunError as error:
            found.errors.append(error)
        else:
            found.failed.append(run)
    return found
