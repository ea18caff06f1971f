"""The interface of trackers, and the data that they log."""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cattrs

from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.extras import required
from cifar_dsl.foundation.folders import make_folder
from cifar_dsl.foundation.reading import read_regular
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import EpochMetrics, RunIdentity, RunResult, run_path

_LOG = "log.json"  # in `Training.folder`
_LARGEST_LOG = 1 << 14  # bytes


@frozen
class Training:
    """One seed's training as `tracker` logs it; `params` are its settings and costs.

    Its run is saved in `runs`; `log_dir` is the user's folder for all logs, if any. `epoch` is the first to be logged:
    existing entries of this epoch and later ones are from a discarded training.
    """

    identity: RunIdentity
    params: dict[str, str]
    tracker: str
    runs: Path
    log_dir: Path | None = None
    epoch: int = 1

    @property
    def display_name(self) -> str:
        """Its name in the tracker."""
        return self.identity.folder

    @property
    def folder(self) -> Path:
        """A folder for its logs only, beside its run or in `log_dir`. Its name never equals that of a run."""
        path = run_path(self.log_dir or self.runs, self.identity.spec, self.identity.seed)
        return path.with_name(f"{path.name}.{self.tracker}")

    @property
    def is_resumed(self) -> bool:
        """Whether it continues a training, whose epochs so far may be logged."""
        return self.epoch > 1

    def last_log(self) -> str | None:
        """The tracker's name for the last log of this training, as `remember_log` stored it; None if unknown."""
        try:
            name: object = json.loads(read_regular(self.folder / _LOG, _LARGEST_LOG))["log"]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):  # it is missing, or not as we wrote it
            return None
        return name if isinstance(name, str) else None

    def remember_log(self, name: str) -> None:
        """Store the tracker's name for the log of this training. Raises OSError."""
        make_folder(self.folder)
        write_atomically(self.folder / _LOG, json.dumps({"log": name}).encode())


class Tracker(Protocol):
    """Logs one training. An exception turns off this tracker, never the training."""

    def add_epoch(self, metrics: EpochMetrics) -> None:
        """Log the metrics of an epoch."""
        ...

    def end(self, result: RunResult | None) -> None:
        """Finish the log; `result` is None if the training stopped or failed."""
        ...


def figures(record: EpochMetrics | RunResult) -> dict[str, float]:
    """The numbers in a record, by name, without those that are None."""
    fields = cattrs.unstructure(record)
    return {name: float(value) for name, value in fields.items() if isinstance(value, int | float)}


def require(names: Sequence[str]) -> None:
    """Raise UserError if the package of one of these trackers, which has its name, can't be imported."""
    for name in names:
        required(name, f"--log {name}", name, "or omit it: every run saves its metrics in metrics.jsonl")


def open_tracker(name: str, training: Training) -> Tracker:
    """Open a tracker for a training. May raise any exception of its package."""
    tracker: Tracker = importlib.import_module(f"cifar_dsl.experiments.trackers.{name}").open_tracker(training)
    return tracker
