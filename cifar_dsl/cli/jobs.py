"""Train the missing runs of `train`, `compare` and `sweep` as jobs, and show their progress."""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_dsl import api
from cifar_dsl.cli.confirmation import confirm_size
from cifar_dsl.cli.forecast import Work, forecast
from cifar_dsl.cli.interruption import Stop, stoppable
from cifar_dsl.cli.job_plan import JobPlan, local_plan, memory_needs, planned_jobs, ray_plan, warn_of_device
from cifar_dsl.cli.main import EXIT_BUG, EXIT_WRONG
from cifar_dsl.cli.output import counted, note, writing
from cifar_dsl.cli.progress import JobsProgress
from cifar_dsl.experiments.jobs import Executor, InlineExecutor, Job
from cifar_dsl.experiments.trackers import TrackerDispatcher, require
from cifar_dsl.foundation.atomic import check_writable
from cifar_dsl.foundation.errors import RunError, UserError
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.foundation.text import percent
from cifar_dsl.foundation.user_folders import temporary_folder
from cifar_dsl.runs import check_root, on_changed_file, place_of, record_failure
from cifar_dsl.training.artifacts import network_of_teacher, selection_of, teacher_of
from cifar_dsl.training.events import Event, FinalEvent, TrainingEnded, TrainingFailed, TrainingStopped
from cifar_dsl.training.options import TrainOptions
from cifar_dsl.training.starting_weights import match_all

if TYPE_CHECKING:
    from cifar_dsl.training.datasets import Dataset


@frozen
class Outcome:
    """The final event of each job."""

    jobs: tuple[Job, ...]
    events: tuple[FinalEvent, ...]
    stop: Stop

    @property
    def failures(self) -> list[tuple[Job, TrainingFailed]]:
        """The jobs that failed, with their events."""
        pairs = zip(self.jobs, self.events, strict=True)
        return [(job, event) for job, event in pairs if isinstance(event, TrainingFailed)]

    @property
    def is_complete(self) -> bool:
        """Whether all jobs ended normally."""
        return all(isinstance(event, TrainingEnded) for event in self.events)

    @property
    def exit_code(self) -> int:
        """0 if all jobs ended normally; else the code of a signal, a bug or an error."""
        if self.stop.wanted():
            return self.stop.exit_code
        if any(failure.trace for _, failure in self.failures):
            return EXIT_BUG
        return 0 if self.is_complete else EXIT_WRONG


def train_missing(
    opened: "Sequence[tuple[api.Spec, Dataset]]",
    options: TrainOptions,
    *,
    display_names: Mapping[str, str] | None = None,
    left_out: list[str] | None = None,
    seeds: Mapping[str, Sequence[int]] | None = None,
) -> Outcome:
    """Train the missing runs of these specs and seeds; specs with equal fingerprints share runs.

    By fingerprint, `seeds` replace those of the options, and `display_names` the names in messages. Raises RunError for
    a damaged run, unless the errors of damaged runs become `left_out`.
    """
    wanted: dict[str, tuple[api.Spec, Dataset]] = {}
    for spec, dataset in opened:
        wanted.setdefault(spec.fingerprint, (spec, dataset))
    chosen = {fingerprint: options.all_seeds if seeds is None else seeds.get(fingerprint, ()) for fingerprint in wanted}
    missing = [
        (spec, dataset, seed)
        for spec, dataset in wanted.values()
        for seed in chosen[spec.fingerprint]
        if options.retrain or _is_missing(spec, options.runs, seed, dataset.digest, left_out)
    ]
    to_train = {spec.fingerprint: (spec, dataset) for spec, dataset, _ in missing}.values()
    confirm_size([(spec.analysis, network_of_teacher(spec.uses)) for spec, _ in to_train], yes=options.yes)
    require(options.log)
    is_remote = options.executor == "ray" and bool(missing)
    if missing:
        check_root(options.runs)
        temporary_folder()  # torch needs it
    plan = ray_plan(options) if is_remote else local_plan(options, len(missing), to_train)
    planned = evolve(options, device=plan.device, threads=plan.threads)
    jobs = planned_jobs(missing, planned, display_names or {}, plan)
    if not options.quiet:
        _announce(jobs, missing, sum(map(len, chosen.values())), plan, options)
    if plan.choice:
        plan.choice.stop_asking()
    return run_jobs(jobs, options, plan.executor)


def _announce(
    jobs: Sequence[Job],
    missing: "Sequence[tuple[api.Spec, Dataset, int]]",
    count: int,
    plan: JobPlan,
    options: TrainOptions,
) -> None:
    """Print warnings about these jobs, how many of `count` runs are missing, what they start from, and the device."""
    to_train = {spec.fingerprint: (spec, dataset) for spec, dataset, _ in missing}.values()
    if plan.choice:
        at_a_time = math.ceil(min(plan.workers, len(jobs)) / plan.devices)
        together = max((len(job.seeds) for job in jobs), default=1)
        needs = plan.needs if together == 1 and plan.needs else memory_needs(to_train, plan.choice, together)
        warn_of_device(needs, plan.choice, at_a_time=at_a_time, together=together)
    _warn_of_changed_files(jobs)
    if count > 1:
        time = ""
        if missing and plan.choice:
            works = [Work.of(spec, len(dataset.y_train)) for spec, dataset, _ in missing]
            time = f", {forecast(works, options.runs, plan.choice, plan.workers, plan.threads)}"
        note(f"runs: {count - len(missing)} exist, {len(missing)} to train{time}")
    for spec, _ in to_train:
        _show_start(spec)
    if missing:
        note(f"device  {plan.description}")


def _show_start(spec: "api.Spec") -> None:
    """Print which tensors start from the weights of another training, and which runs teach or chose the images."""
    if teacher := teacher_of(spec.uses):
        note(f"teacher {spec.name}: {teacher.record.source}")
    if selection := selection_of(spec.uses):
        note(f"chosen  {spec.name}: {percent(selection.share, 0)} of each batch, by {selection.record.source}")
    for file, match in match_all(spec.graph, spec.recipe, spec.uses):
        first, *others = match.lines(file.record.source)
        note(f"start   {spec.name}: {first}")
        for line in others:
            note(f"          {line}")


def _is_missing(spec: "api.Spec", runs: Path, seed: int, digest: str, left_out: list[str] | None) -> bool:
    try:
        return api.find_run(spec, runs, seed, digest) is None
    except RunError as error:
        if left_out is None:
            raise
        left_out.append(error.message)
        return False


def run_jobs(jobs: Sequence[Job], options: TrainOptions, executor: Executor | None = None) -> Outcome:
    """Run jobs, in this process unless an `executor` is given; show their progress and report failures.

    Events also go to the trackers of `options.log`. If the output can't be written, all jobs stop as at
    Ctrl-C, and an OSError or UserError is raised unless a signal requested the stop. They stop, too, when the disk of
    the runs is full.
    """
    if jobs and options.log_dir is not None:
        with writing(options.log_dir, "choose another folder with --log-dir"):
            check_writable(options.log_dir)
    closed: list[OSError | UserError] = []
    full: list[int] = []  # jobs that failed for this reason
    with JobsProgress(jobs, quiet=options.quiet, as_json=options.as_json) as progress, stoppable() as stop:

        def show(number: int, event: Event) -> None:
            if closed:
                return
            try:
                progress.show(number, event)
            except (
                OSError,
                UserError,
            ) as error:  # `cifar-dsl train x.arch --json | head`, a full disk, a closed terminal
                closed.append(error)

        with TrackerDispatcher(options.log, jobs, show, options.log_dir) as trackers:

            def listener(number: int, event: Event) -> None:
                if isinstance(event, TrainingFailed) and event.disk_is_full:
                    full.append(number)
                show(number, event)
                trackers.dispatch(number, event)

            events = (executor or InlineExecutor()).run(jobs, listener, lambda: bool(closed or full) or stop.wanted())
    outcome = Outcome(tuple(jobs), tuple(events), stop)
    if closed:
        if stop.wanted():
            return outcome
        raise BrokenPipeError from closed[0]
    _report_failures(outcome.failures)
    for job, failure in outcome.failures:
        for seed in job.seeds:
            place = place_of(job.options.runs, job.identity(seed))
            record_failure(place, job.digest, failure.message, failure.help)
    if stop.wanted():
        with suppress(OSError):  # the terminal is gone
            note("Stopped; progress is saved. Rerun the same command to resume.")
    elif full and (others := sum(isinstance(event, TrainingStopped) for event in events)):
        note(f"the disk is full: {others} of {counted(len(jobs), 'job')} stopped, or didn't start")
    return outcome


def _warn_of_changed_files(jobs: Sequence[Job]) -> None:
    """Warn of interrupted runs that aren't resumed, because their array file has changed."""
    for job in jobs:
        for seed in job.seeds:
            if job.data_path and (run := on_changed_file(job.options.runs, job.identity(seed), job.data_path)):
                note(
                    f"warning: {job.data_path} has changed since {run.path} was interrupted, so a new run begins; "
                    "restore the file to resume that one"
                )


def _report_failures(failures: Iterable[tuple[Job, TrainingFailed]]) -> None:
    """Report each failure once: the trainings after the first that failed for the same reason share a line."""
    alike: dict[TrainingFailed, list[tuple[Job, TrainingFailed]]] = {}
    for job, failure in failures:
        alike.setdefault(failure, []).append((job, failure))
    for (job, failure), *others in alike.values():
        _report_failure(job, failure)
        if others:
            note(f"  = note: for the same reason, could not be trained: {', '.join(job.label for job, _ in others)}")


def _report_failure(job: Job, failure: TrainingFailed) -> None:
    note(f"error: {job.label} could not be trained: {failure.message}")
    for line in failure.help:
        note(f"  = help: {line}")
    if failure.trace:
        from cifar_dsl.cli.bugs import report_trace

        context = click.get_current_context(silent=True)
        arguments = context.find_object(list) if context else None
        report_trace(failure.trace, arguments or [], {job.display_name: job.spec_text})
