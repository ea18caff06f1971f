"""`train --resume RUN --set train.epochs=N`: a complete run is trained longer, as a run of its own."""

import re
from collections.abc import Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_dsl.cli.output import command_line, note, warn
from cifar_dsl.compiler import analyze_text
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import evolve
from cifar_dsl.foundation.text import in_epochs
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.runs import Run, open_run
from cifar_dsl.runs.places import PARTIAL, RESULT, partial_path, run_name
from cifar_dsl.training.options import TrainOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cifar_dsl.api import Spec
    from cifar_dsl.training.datasets import Dataset

_SETTING = "train.epochs="


def longer(path: Path, overrides: "Sequence[str]", options: TrainOptions) -> "tuple[Spec, TrainOptions]":
    """The spec that continues the run at `path`, and the options to train it beside that run.

    Prints what changes. Raises UsageError for other overrides than the epochs, RunError.
    """
    from cifar_dsl import api
    from cifar_dsl.cli.recorded_data import find_data
    from cifar_dsl.experiments.jobs import Job

    (*_, epochs) = (_epochs(override) for override in overrides)
    if path.suffix == PARTIAL or (partial_path(path).is_dir() and not (path / RESULT).exists()):
        raise RunError(
            f"the run {path} is not complete, and only a complete one is trained longer",
            f"finish it first: {command_line('train', '--resume', path)}",
        )
    run = open_run(path)
    record = run.record()
    data_path = find_data(run, options.data)
    data = api.choice_of(f"npz:{data_path}" if data_path else None, warn)
    spec = api.longer(run, epochs, data, options.teacher, options.selection)
    api.check_used([spec], teacher=options.teacher, selection=options.selection)
    place = Job.of_run(run, run.analysis(), options).options
    if not options.quiet:
        _tell(spec, run)
    placed = evolve(options, seed=record.seed, runs=place.runs, threads=place.threads)
    return spec, evolve(placed, data=None, start=None, teacher=None, selection=None)  # which the spec has


def _epochs(override: str) -> float:
    """The epochs in an override. Raises UsageError for other overrides, and other values."""
    try:
        if override.startswith(_SETTING):
            return float(override.removeprefix(_SETTING))
    except ValueError:
        pass
    raise click.UsageError(
        f"With --resume, --set takes only train.epochs=N, to train a complete run longer, not {override}. "
        "For other changes, start a training from the weights of the run: --from RUN."
    )


def _tell(spec: "Spec", run: Run) -> None:
    """Print how the training continues."""
    recipe = spec.analysis.require_recipe()
    before, epochs = recipe.epochs_before, recipe.epochs
    rate = recipe.optimizer.lr * recipe.schedule.factor(before, epochs)
    metrics = run.metrics()
    note(f"longer  {run.path} continues after epoch {before}, to epoch {epochs:g}, as another run")
    was = f"ended at {metrics[-1].lr:.3g} and " if metrics else ""
    note(f"          the schedule is that of {in_epochs(epochs)}: the learning rate {was}continues at {rate:.3g}")
    note("          a run keeps weights alone, so momenta and averages start from nothing")
    note(f"          the result isn't that of {in_epochs(epochs)} from the start, and `compare` keeps them apart")


def shorter_runs(spec: "Spec", dataset: "Dataset", options: TrainOptions) -> Iterator[str]:
    """A line for each missing run of which one with fewer epochs exists: how to train that one longer."""
    from cifar_dsl import api

    epochs = spec.analysis.require_recipe().epochs
    for seed in options.all_seeds:
        with suppress(RunError):
            if api.find_run(spec, options.runs, seed, dataset.digest):
                continue
        found: dict[float, Path] = {}
        for path in options.runs.glob(f"{escape(spec.name)}-*/{run_name(seed)}"):
            with suppress(RunError, SpecError):
                if (done := _epochs_of(Run(path), spec, dataset)) < epochs:
                    found[done] = path
        if found:
            most = max(found)
            unit = "epoch" if most == 1 else "epochs"
            yield (
                f"note    {found[most]} has trained this for {most:g} {unit}; to continue it instead: "
                + command_line("train", "--resume", found[most], "--set", f"{_SETTING}{epochs:g}")
            )


def _epochs_of(run: Run, spec: "Spec", dataset: "Dataset") -> float:
    """The epochs of a run that differs from a spec in nothing else. Raises RunError for any other run."""
    record = run.record()
    is_alike = record.data.digest == dataset.digest and _without_epochs(run.spec_text) == _without_epochs(spec.text)
    if not is_alike or run.result().accuracy is None:
        raise RunError("another training")
    epochs = spec.analysis.require_recipe().epochs
    if analyze_text(run.spec_text, overrides=(f"{_SETTING}{epochs:g}",)).fingerprint != spec.fingerprint:
        raise RunError("another training")
    return run.result().epochs


def _without_epochs(text: str) -> str:
    """A resolved spec without its epochs: two that differ in them alone become equal, which is fast to find out."""
    return re.sub(r"(?m)^( *epochs +)\S+$", r"\1", text)
