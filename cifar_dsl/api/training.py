"""Training in Python: `train` a spec, find its runs, and load what they trained."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import fields

from cifar_dsl.api.arguments import require_seed, run_options
from cifar_dsl.api.python_warnings import warn_caller
from cifar_dsl.api.run import Run
from cifar_dsl.api.specs import (
    DEFAULT_OPTIONS,
    PathLike,
    Spec,
    artifacts_of,
    check_used,
    choice_of,
    listed,
    load,
    open_data,
    reloaded,
)
from cifar_dsl.experiments.jobs import Job
from cifar_dsl.foundation.errors import RunError, SpecWarning
from cifar_dsl.language.diagnostics import render_concise
from cifar_dsl.runs import Run as StoredRun
from cifar_dsl.runs import check_place, find_runs, open_run, run_path
from cifar_dsl.training.options import RunOptions
from cifar_dsl.training.starting_weights import match_all

if TYPE_CHECKING:
    from torch import nn

    from cifar_dsl.training.datasets import Dataset
    from cifar_dsl.training.events import Listener


def train(
    spec: "Spec | PathLike",
    *,
    epochs: float | None = None,
    data: str | None = DEFAULT_OPTIONS.data,
    seed: int = DEFAULT_OPTIONS.seed,
    overrides: Sequence[str] = (),
    start: PathLike | None = DEFAULT_OPTIONS.start,
    teacher: PathLike | None = DEFAULT_OPTIONS.teacher,
    selection: PathLike | None = DEFAULT_OPTIONS.selection,
    listener: "Listener | None" = None,
    **options: Any,
) -> Run:
    """Train a spec with one seed and return the run. Returns a complete run as it is, and resumes an interrupted one.

    `epochs` replaces that of the recipe. `data` replaces the dataset in the spec: a name such as `shapes`, or
    `npz:PATH`. `overrides` have the syntax of `--set`. `start` are weights to start from: a run, or a file in the
    safetensors format; see docs/runs.md. `teacher` is the run that a spec with `distill` learns from; see
    docs/distillation.md. `selection` is the run that chose the images for a spec with `keep chosen`; see
    docs/selection.md. `listener` receives the events of the training; without one, a notebook shows its progress.
    `options` are the fields of `RunOptions`, such as `device`, `threads`, `runs` and `retrain`; see `cifar-dsl train
    --help`. Issues each of the spec's `warnings` as a SpecWarning, a Python warning, and warns if the run is no better
    than guessing. Raises SpecError, DataError, DeviceError, EngineError and RunError; UserError for an option out of
    bounds.
    """
    return train_one(
        spec,
        epochs=epochs,
        data=data,
        seed=seed,
        overrides=overrides,
        start=start,
        teacher=teacher,
        selection=selection,
        listener=listener,
        options=options,
    )


def train_one(
    spec: "Spec | PathLike",
    *,
    epochs: float | None = None,
    data: str | None = None,
    seed: int,
    overrides: Sequence[str] = (),
    start: PathLike | None = None,
    teacher: PathLike | None = None,
    selection: PathLike | None = None,
    listener: "Listener | None",
    options: dict[str, Any],
    function: "Callable[..., Run] | None" = None,
) -> Run:
    """Train as `train` does. Errors name `function`, by default `train`."""
    from cifar_dsl.api.progress import default_listener
    from cifar_dsl.training.device import choose_device, set_threads
    from cifar_dsl.training.session import train_runs

    chosen = run_options(options, function or train)
    overrides = (*listed(overrides), *([] if epochs is None else [f"train.epochs={epochs}"]))
    require_seed(seed)
    choice = choose_device(chosen.device)
    replacing = choice_of(data, warn_caller)
    if not isinstance(spec, Spec):
        spec = load(spec, overrides=overrides, data=replacing, start=start, teacher=teacher, selection=selection)
    elif overrides or any(given is not None for given in (replacing, start, teacher, selection)):
        uses = (*spec.uses, *artifacts_of(weights=start, teacher=teacher, selection=selection))
        spec = reloaded(spec, (*spec.overrides, *overrides), replacing or spec.data, uses)
    check_used([spec], teacher=teacher, selection=selection)
    for warning in spec.warnings:
        warn_caller("; ".join([render_concise(warning), *warning.help]), SpecWarning)
    spec, dataset = open_data(spec, data_dir=chosen.data_dir, warn=warn_caller)
    if not chosen.retrain and (complete := find_run(spec, chosen.runs, seed, dataset.digest)):
        return _warned_of_chance(Run(complete.path))
    for file, match in match_all(spec.graph, spec.recipe, spec.uses):
        if not match.is_whole:
            warn_caller("; ".join(match.lines(file.record.source)))
    set_threads(chosen.threads)
    (run,) = train_runs(
        spec.analysis,
        spec.identity,
        dataset,
        [seed],
        chosen,
        choice=choice,
        artifacts=spec.uses,
        listener=listener or default_listener(f"{spec.name}, seed {seed}"),
    )
    return _warned_of_chance(Run(run.path))


def _warned_of_chance(run: Run) -> Run:
    """The run, after a Python warning if it is no better than guessing."""
    from cifar_dsl.runs.chance import find_chance

    if chance := find_chance(run):
        warn_caller("; ".join([chance.message, *chance.help]))
    return run


def _shown_signature() -> inspect.Signature:
    """The signature of `train` with the options of a run in place of `**options`, for `help` and notebooks."""
    shown = inspect.signature(train)
    kept = [each for each in shown.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    options = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=each.type)
        for each in fields(RunOptions)
    ]
    return shown.replace(parameters=[*kept, *options])


train.__signature__ = _shown_signature()  # type: ignore[attr-defined]


def load_trained(
    run: "StoredRun | PathLike", *, raw: bool = False, data: str | None = None, data_dir: PathLike | None = None
) -> "nn.Module":
    """Load the trained network of a run, or of the run at a path, as a module on the CPU in evaluation mode.

    The module takes images (N, C, H, W), uint8 from 0 to 255 or floats from 0 to 1, normalizes them as in training, and
    returns scores (N, classes). It raises UserError for other images. `module.classes` are the names of the classes.

    With `raw`, it is the network alone, which takes normalized images and checks nothing. `data` is the run's dataset,
    a name or `npz:PATH`; only a run of version 0.1.0 that normalizes `per_channel` needs it. Raises RunError if the run
    has no usable weights, DataError for another dataset.
    """
    from cifar_dsl.training.weights import load_network, load_weights

    opened = run if isinstance(run, StoredRun) else open_run(Path(run))
    analysis = opened.analysis()
    if raw:
        return load_weights(opened, analysis).eval()
    choice = choice_of(data, warn_caller)
    dataset = choice.load(Path(data_dir) if data_dir is not None else None) if choice else None
    return load_network(opened, analysis, dataset).eval()


def find_run(spec: Spec, runs: Path, seed: int, digest: str | None = None) -> StoredRun | None:
    """Find the complete run with this fingerprint and seed, under any name; None if there is none.

    With `digest`, the run must have used the dataset with this digest. Raises RunError if the folder for such a run
    holds a damaged one, that of another spec or seed, or one on another dataset of the same name.
    """
    place = run_path(runs, spec.identity, seed)
    for run in sorted(find_runs(runs, spec.fingerprint), key=lambda run: run.path != place):
        record = run.record()
        if record.seed == seed and digest in {None, record.data.digest}:
            return run
    if place.exists():
        run = open_run(place)
        check_place(place, run.record())
        run.result()
        raise RunError(
            f"{place} was trained on a different dataset that is also called {run.record().data.name}",
            "choose another folder with `runs`, or replace the old run with `retrain`",
        )
    return None


def job(
    spec: Spec,
    dataset: "Dataset",
    seeds: Sequence[int],
    options: RunOptions,
    *,
    display_name: str | None = None,
    shares_device: bool = False,
) -> Job:
    """A job that trains an opened spec with these seeds, possibly in another process."""
    return Job(
        spec_text=spec.text,
        spec=spec.identity,
        data=dataset.name,
        digest=dataset.digest,
        seeds=tuple(seeds),
        options=options,
        data_path=str(dataset.path) if dataset.path and dataset.name == "npz" else None,
        display_name=display_name or spec.name,
        analysis=spec.analysis,
        shares_device=shares_device,
        uses=tuple(each.record for each in spec.uses),
    )
