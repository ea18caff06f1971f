"""What a tracker is, and what it is told of."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cattrs

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import EpochMetrics, RunIdentity, RunResult, run_path

# The package that each needs.
NAMES = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}


@frozen
class Training:
    """One seed's training as `tracker` shows it: `params` are what its spec says of it.

    Its run comes into `runs`; `log_dir` is the folder that the user wants for the logs of all trainings, if any.
    `epoch` is the first that is told of; what was told of it and later ones before is of a training that was given up.
    """

    identity: RunIdentity
    params: dict[str, str]
    tracker: str
    runs: Path
    log_dir: Path | None = None
    epoch: int = 1

    @property
    def display_name(self) -> str:
        """What users see."""
        return self.identity.folder

    @property
    def folder(self) -> Path:
        """A folder for its logs alone, beside its run unless the user wants it elsewhere.

        It is never called as a run is, also where the user wants logs among the runs.
        """
        place = run_path(self.log_dir or self.runs, self.identity.spec, self.identity.seed)
        return place.with_name(f"{place.name}.{self.tracker}")


class Tracker(Protocol):
    """Who is told how a training goes on. What it raises stops nobody but itself."""

    def add_epoch(self, metrics: EpochMetrics) -> None:
        """An epoch has ended."""
        ...

    def end(self, result: RunResult | None) -> None:
        """The training has; None where it was stopped or failed."""
        ...


def figures(record: EpochMetrics | RunResult) -> dict[str, float]:
    """The numbers of a record by their names; those that it hasn't are left out."""
    fields = cattrs.unstructure(record)
    return {name: float(value) for name, value in fields.items() if isinstance(value, int | float)}


def require(names: Sequence[str]) -> None:
    """Raise UserError if the package of one of these trackers is missing."""
    for name in names:
        try:
            importlib.import_module(NAMES[name])
        except ImportError:
            raise UserError(
                f"--log {name} needs a package that is not installed",
                f"pip install 'cifar-dsl[{name}]'",
                "or leave it out: every run keeps its metrics in metrics.jsonl",
            ) from None


def open_tracker(name: str, training: Training) -> Tracker:
    """A tracker that is told of a training. Raises whatever its package does."""
    tracker: Tracker = importlib.import_module(f"cifar_dsl.experiments.trackers.{name}").open_tracker(training)
    return tracker
