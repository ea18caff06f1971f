"""Estimate how long trainings will take."""

import statistics
from collections.abc import Iterable
from pathlib import Path

from cifar_dsl.analysis.work import step_macs, work_share
from cifar_dsl.api import Spec
from cifar_dsl.compiler import mean_macs
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import duration
from cifar_dsl.runs import Run
from cifar_dsl.runs.folder import complete_runs
from cifar_dsl.training.artifacts import network_of_teacher, share_seen
from cifar_dsl.training.device import Choice, peak_macs_per_s


@frozen
class Work:
    """The work of a training: the multiply-accumulates of all its steps, and their precision.

    `may_end_early`: whether early stopping can leave some of it out.
    """

    macs: float
    precision: str
    may_end_early: bool = False

    @classmethod
    def of(cls, spec: Spec, images: int) -> "Work":
        """The work to train a spec on `images` training images."""
        recipe, teacher = spec.analysis.require_recipe(), network_of_teacher(spec.uses)
        forward = mean_macs(spec.analysis.training_sizes, recipe.epochs_before, recipe.epochs)
        its_macs = teacher.cost.macs if teacher else 0
        of_image = step_macs(forward, its_macs, recipe.perturb.passes)
        of_image *= work_share(recipe, forward, its_macs, share_seen(spec.uses))
        macs = of_image * (recipe.epochs - recipe.epochs_before) * images
        return cls(macs, recipe.precision, bool(recipe.early_stopping.measure))


def forecast(works: Iterable[Work], runs: Path, choice: Choice, workers: int, threads: int | None) -> str:
    """How long these trainings will take on `workers` processes: "about 12 min, at the speed of previous runs".

    Only runs on this device count. Without one, the speed of a large matrix product gives a lower bound.
    """
    works = list(works)
    total = sum(work.macs for work in works)
    rates = _rates(runs, choice.name, threads)
    most = "at most " if any(work.may_end_early for work in works) else ""
    if rates:
        return f"{most}about {duration(total / statistics.median(rates) / workers)}, at the speed of previous runs"
    if most:
        return "unknown time (early stopping decides, and no earlier run on this device to estimate from)"
    peaks = {name: choice.ask(peak_macs_per_s, choice.device, name) for name in {work.precision for work in works}}
    least_s = sum(work.macs / peaks[work.precision] for work in works)
    return f"at least {duration(least_s)} (no earlier run on this device to estimate from)"


def _rates(runs: Path, device_name: str, threads: int | None) -> list[float]:
    """The speed of each run on the device: multiply-accumulates per second of total time.

    Only runs with the same number of threads, if there are any.
    """
    measured = [rate for run in complete_runs(runs) if (rate := _rate(run, device_name)) is not None]
    alike = [rate for count, rate in measured if count == threads]
    return alike or [rate for _, rate in measured]


def _rate(run: Run, device_name: str) -> tuple[int, float] | None:
    try:
        record, result, metrics = run.record(), run.result(), run.metrics()
    except RunError:
        return None
    if record.environment.device_name != device_name or result.time_s <= 0:
        return None
    epochs = result.epochs - (metrics[0].epoch - 1 if metrics else 0)  # without those of a run that it continues
    forward = result.macs if result.training_macs is None else result.training_macs
    of_image = step_macs(forward, result.teacher_macs, result.passes) * result.work_share
    return record.environment.threads, of_image * epochs * record.data.train_images / result.time_s
