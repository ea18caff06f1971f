"""`cifar-dsl train`: train a spec and save the run."""

import os
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_dsl.cli import arguments
from cifar_dsl.cli.click_options import GroupedCommand, GroupedOption, with_options
from cifar_dsl.cli.confirmation import is_terminal
from cifar_dsl.cli.dry_run import dry_run_of, time_of
from cifar_dsl.cli.given import Given
from cifar_dsl.cli.longer import longer, shorter_runs
from cifar_dsl.cli.output import command_line, note, print_json, print_result, warn, writing
from cifar_dsl.cli.warnings import print_chance, print_warnings
from cifar_dsl.experiments.jobs import Job
from cifar_dsl.foundation.atomic import check_writable
from cifar_dsl.foundation.records import evolve
from cifar_dsl.foundation.text import accuracy_in_percent, columns, duration, in_epochs, in_short, percent
from cifar_dsl.runs import check_root, open_partial, open_run
from cifar_dsl.training.artifacts import network_of_teacher
from cifar_dsl.training.events import TrainingEnded
from cifar_dsl.training.options import RUNS, TrainOptions

if TYPE_CHECKING:
    from cifar_dsl.api import Spec
    from cifar_dsl.compiler import Analysis
    from cifar_dsl.runs import Run


@click.command(
    name="train",
    cls=GroupedCommand,
    examples=(
        "cifar-dsl train resnet18",
        "cifar-dsl train mine.arch --data shapes --epochs 20 --lr 3e-4 --seeds 3",
        "cifar-dsl train mine.arch --fast 2000         # a first try",
        "cifar-dsl train mine.arch --dry-run --measure # memory and time",
        "cifar-dsl train --resume runs/mine-0123456789ab/seed-0",
    ),
    common=(
        *("--epochs", "--batch", "--lr", "--set", "--data", "--fast", "--from", "--seeds", "--device"),
        *("--retrain", "--resume", "--dry-run", "--quiet"),
    ),
)
@arguments.optional_spec
@arguments.with_overrides
@arguments.root
@with_options(TrainOptions)
@click.option(
    "--resume",
    cls=GroupedOption,
    group=RUNS,
    metavar="RUN",
    type=click.Path(path_type=Path),
    shell_complete=arguments.complete_runs,
    help="Resume this interrupted run; pass it instead of SPEC. With --set train.epochs=N, train a complete run for "
    "more epochs.",
)
@click.option(
    "--dry-run",
    cls=GroupedOption,
    beside_resume=False,
    is_flag=True,
    help="Show shapes, counts, recipe and memory, and with --from which tensors match; train and download nothing.",
)
@click.option(
    "--measure",
    cls=GroupedOption,
    beside_resume=False,
    is_flag=True,
    help="With --dry-run: run a few steps on random images, and estimate the time to train on this machine.",
)
@click.option(
    "--profile",
    cls=GroupedOption,
    beside_resume=False,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="TRACE.json",
    help="Train only a few steps, show where the time goes, and write a trace for https://ui.perfetto.dev.",
)
@click.option("-v", "--verbose", is_flag=True, help="Also show the network and its recipe.")
def command(
    spec: Path | None,
    resume: Path | None,
    overrides: tuple[str, ...],
    root: Path | None,
    dry_run: bool,
    measure: bool,
    profile: Path | None,
    verbose: bool,
    options: TrainOptions,
) -> int:
    """Train SPEC and save the run in RUNS/<name>-<fingerprint>/seed-<n>/.

    Skips a complete run, and resumes an interrupted one from its last checkpoint. Asks before it trains a network of
    more than 100 million parameters.
    """
    if (spec is None) == (resume is None):
        raise click.UsageError("Give either a SPEC or --resume RUN.")
    if resume is not None and overrides:
        continued, options = longer(resume, overrides, options)
        if verbose:
            _show(continued.analysis)
        return _train(continued, options)
    if resume is not None:
        return _resume(resume, options, verbose=verbose)
    assert spec is not None
    if measure and not dry_run:
        raise click.UsageError("--measure requires --dry-run.")
    if options.validation is not None:
        overrides = (*overrides, f"train.validation={options.validation}")
    given = Given.of(options)
    loaded = given.load(spec, root, overrides)
    given.check_used([loaded])
    if not options.quiet:
        print_warnings([loaded.analysis])
    if dry_run:
        dry_run_of(loaded, options.device)
        if measure:
            time_of(loaded, options)
        return 0
    if verbose:
        _show(loaded.analysis)
    if profile is not None:
        return _profile(loaded, options, profile)
    return _train(loaded, options)


def _train(spec: "Spec", options: TrainOptions) -> int:
    """Train the missing seeds, and report the results of all."""
    from cifar_dsl import api
    from cifar_dsl.cli.jobs import train_missing
    from cifar_dsl.cli.progress import DownloadProgress
    from cifar_dsl.training.device import choose_device
    from cifar_dsl.training.engines import choose_engine

    recipe, choice = spec.analysis.require_recipe(), choose_device(options.device)
    chosen = choose_engine(options.engine, choice.device, recipe)
    with DownloadProgress(quiet=options.quiet or options.as_json) as download:
        spec, dataset = api.open_data(spec, data_dir=options.data_dir, progress=download, warn=warn)
    if not options.quiet:
        cost = spec.graph.cost
        note(f"{spec.name}  {spec.fingerprint}  {cost.parameters:,} parameters, {in_short(cost.macs)} macs")
        images = f"{len(dataset.y_train):,} + {len(dataset.y_test):,} images"
        note(f"data    {dataset.name}: {dataset.origin}; {images}")
        if dataset.of_train_images:
            whole = f"{dataset.of_train_images:,}"
            note(f"fast    a first try on {len(dataset.y_train):,} of {whole} images; not comparable with full runs")
        note(f"engine  {chosen.engine.name}; {chosen.reason}")
        for line in shorter_runs(spec, dataset, options):
            note(line)
    outcome = train_missing([(spec, dataset)], options)
    if outcome.stop.wanted():
        return outcome.stop.exit_code
    if not outcome.jobs and not options.quiet:
        note(f"{spec.name} is already trained on this dataset (--retrain trains it again)")
    found = [api.find_run(spec, options.runs, seed, dataset.digest) for seed in options.all_seeds]
    runs = [run for run in found if run]
    code = max(_report_all(runs, as_json=options.as_json), outcome.exit_code)
    if code == 0 and runs and is_terminal() and not (options.quiet or options.as_json):
        first = runs[0].path
        note(f"next: `{command_line('evaluate', first)}`, `{command_line('predict', first, 'PICTURE')}`")
    return code


_PROFILED = 30  # steps


def _profile(spec: "Spec", options: TrainOptions, trace: Path) -> int:
    """Profile some steps, and print where the time goes."""
    # Set before torch is imported: its profiler would log each start and stop, and a missing GPU.
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    from cifar_dsl import api
    from cifar_dsl.cli.confirmation import confirm_size
    from cifar_dsl.training.device import choose_device, set_threads
    from cifar_dsl.training.profiling import profile_training

    elsewhere = "choose another place with --profile"
    with writing(trace, elsewhere):
        check_writable(trace.parent)
    confirm_size([(spec.analysis, network_of_teacher(spec.uses))], yes=options.yes)
    choice = choose_device(options.device)
    spec, dataset = api.open_data(spec, data_dir=options.data_dir, warn=warn)
    set_threads(options.threads)
    with writing(trace, elsewhere):
        profile = profile_training(
            spec.analysis,
            dataset,
            choice,
            engine=options.engine,
            steps=_PROFILED,
            trace=trace,
            artifacts=spec.uses,
        )
    total_s = sum(profile.phases.values())
    rows = [["phase of an eager step", "time", "share"]]
    rows += [[f"  {name}", _ms(time_s), percent(time_s / total_s, 0)] for name, time_s in profile.phases.items()]
    rows.append(["step without profiled phases", _ms(profile.eager_step_s), ""])
    rows.append([f"step with engine `{profile.engine}`", _ms(profile.step_s), ""])
    if profile.recording_s:
        rows.append(["recording a step (once)", _ms(profile.recording_s), ""])
    rows.append(["all steps of an epoch", duration(profile.epoch_s), ""])
    rows.append(["evaluation", duration(profile.evaluation_s), ""])
    for line in columns(rows, right=frozenset({1, 2})):
        print_result(line)
    print_result(
        f"{profile.images_per_s:,.0f} images/s on {choice.name}: "
        + (
            "its peak can't be measured now; other processes use the device"
            if profile.peak_share is None
            else f"{percent(profile.peak_share)} of the device's peak (the speed of a large matrix product or "
            "convolution)"
        )
    )
    note(f"trace: {trace} (open it in https://ui.perfetto.dev)")
    return 0


def _ms(time_s: float) -> str:
    return f"{1000 * time_s:.2f} ms"


def _resume(path: Path, options: TrainOptions, *, verbose: bool) -> int:
    """Resume a run; its record determines everything except the device and the dataset's path."""
    from cifar_dsl.cli.confirmation import confirm_size
    from cifar_dsl.cli.jobs import run_jobs
    from cifar_dsl.cli.recorded_data import find_artifacts, find_data
    from cifar_dsl.experiments.jobs.job import load_data
    from cifar_dsl.experiments.trackers import require
    from cifar_dsl.training.provenance import check_data

    require(options.log)
    run = open_partial(path)
    analysis = run.analysis()
    if verbose:
        _show(analysis)
    confirm_size([(analysis, None)], yes=options.yes)
    data_path = find_data(run, options.data)
    moved = {"weights": options.start, "teacher": options.teacher, "selection": options.selection}
    uses = find_artifacts(run, moved)
    job = evolve(Job.of_run(run, analysis, options), data_path=str(data_path) if data_path else None, uses=uses)
    elsewhere = f"make it writable, or copy {run.path.parent} to another folder and resume the copy"
    check_root(job.options.runs, elsewhere)
    if data_path:
        check_data(run, load_data(job))
    outcome = run_jobs([job], options)
    match outcome.events:
        case [TrainingEnded(paths=(finished,))] if not outcome.stop.wanted():
            return _report(open_run(Path(finished)), as_json=options.as_json)
    return outcome.exit_code


def _report(run: "Run", *, as_json: bool) -> int:
    """Print the result of a run. Returns the exit code."""
    import cattrs

    from cifar_dsl.runs.chance import find_chance

    result, record, chance = run.result(), run.record(), find_chance(run)
    code = 0 if result.status == "finished" else 1
    if chance:
        print_chance([chance])
    if as_json:
        fields = cattrs.unstructure(result) | {
            "event": "result",
            "run": str(run.path),
            "data": record.data.name,
            "warning": chance.message if chance else None,
        }
        print_json(fields)
        return code
    if result.accuracy is None:
        note(f"{record.spec.name} diverged after {in_epochs(result.epochs)}: the loss became NaN or infinite")
        note(
            "  = help: lower the learning rate (--set train.optimizer.lr=...), or clip gradients "
            "(--set 'train.clip=norm(1)')"
        )
        return code
    level = " (chance level)" if chance else ""
    # Earlier versions recorded shares above 1, when other processes slowed the measurement of the peak.
    share = result.peak_share
    more = f", {percent(share, 0)} of the device's peak" if share is not None and share <= 1 else ""
    more += "" if result.energy_j is None else f", {in_short(result.energy_j, 'J')}"
    print_result(
        f"{record.spec.name} on {record.data.title}, seed {record.seed}: "
        f"accuracy {accuracy_in_percent(result.accuracy)}{level} "
        f"after {in_epochs(result.epochs)} in {duration(result.time_s)} ({result.images_per_s:,.0f} images/s{more})"
    )
    if result.best:
        best = result.best
        print_result(
            f"best epoch on the held-out images: {best.epoch}, with accuracy "
            f"{accuracy_in_percent(best.validation_accuracy)} there and "
            f"{accuracy_in_percent(best.accuracy)} on the test images"
        )
    print_result(f"run: {run.path}")
    return code


def _report_all(runs: "list[Run]", *, as_json: bool) -> int:
    """Print the result of each seed, and the mean of all. Returns the exit code."""
    code = max((_report(run, as_json=as_json) for run in runs), default=1)
    accuracies = [accuracy for run in runs if (accuracy := run.result().accuracy) is not None]
    if len(accuracies) > 1 and not as_json:
        mean, deviation = statistics.fmean(accuracies), statistics.stdev(accuracies)
        print_result(f"{len(accuracies)} seeds: accuracy {accuracy_in_percent(mean, deviation)}")
    return code


def _show(analysis: "Analysis") -> None:
    from cifar_dsl.views.table import table

    for line in table(analysis):
        note(line)
    note("")
