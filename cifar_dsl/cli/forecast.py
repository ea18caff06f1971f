"""How long trainings will take, said before they begin."""

import statistics
from collections.abc import Iterable
from pathlib import Path

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import duration
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.runs import Run
from cifar_dsl.runs.folder import complete_runs
from cifar_dsl.training.device import Choice, peak_macs_per_s

_BACKWARD = 2  # times the multiply-accumulates of the forward pass


@frozen
class Work:
    """What a training has to do: multiply-accumulates of its forward passes, and in which numbers."""

    macs: float
    precision: str

    @classmethod
    def of(cls, graph: Graph, recipe: Recipe, images: int) -> "Work":
        """The work of a spec on so many training images."""
        return cls(graph.cost.macs * recipe.epochs * images, recipe.precision)


def forecast(works: Iterable[Work], runs: Path, choice: Choice, workers: int, threads: int | None) -> str:
    """How long these trainings will take so many workers: "about 12 min", as fast as the runs that are there.

    Runs count that were computed on this device; without one, what a large matrix product takes is the least.
    """
    works = list(works)
    total = sum(work.macs for work in works)
    rates = _rates(runs, choice.name, threads)
    if rates:
        return f"about {duration(total / statistics.median(rates) / workers)} as fast as the runs that are there"
    least_s = sum((1 + _BACKWARD) * work.macs / peak_macs_per_s(choice.device, work.precision) for work in works)
    return f"at least {duration(least_s)}; no run on this device tells how long"


def _rates(runs: Path, device_name: str, threads: int | None) -> list[float]:
    """Multiply-accumulates of forward passes a second, of each run on the device, evaluations and all included.

    Those with as many threads are preferred.
    """
    found = [rate for run in complete_runs(runs) if (rate := _rate(run, device_name)) is not None]
    alike = [rate for count, rate in found if count == threads]
    return alike or [rate for _, rate in found]


def _rate(run: Run, device_name: str) -> tuple[int, float] | None:
    try:
        record, result = run.record(), run.result()
    except RunError:
        return None
    if record.environment.device_name != device_name or result.time_s <= 0:
        return None
    return record.environment.threads, result.macs * result.epochs * record.data.train_images / result.time_s
