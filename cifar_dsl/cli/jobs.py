"""Plan the missing runs of `train`, `compare` and `sweep` as jobs, run them, and show their progress."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_dsl import api
from cifar_dsl.analysis import estimate, usable_cpus
from cifar_dsl.cli.confirmation import confirm_size
from cifar_dsl.cli.forecast import Work, forecast
from cifar_dsl.cli.interruption import Stop, stoppable
from cifar_dsl.cli.main import EXIT_BUG, EXIT_WRONG
from cifar_dsl.cli.output import counted, note, writing
from cifar_dsl.cli.progress import JobsProgress
from cifar_dsl.experiments.jobs import Executor, InlineExecutor, Job, LocalExecutor
from cifar_dsl.experiments.trackers import TrackerDispatcher, require
from cifar_dsl.foundation.atomic import check_writable
from cifar_dsl.foundation.errors import RunError, UserError
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.foundation.text import in_short, percent
from cifar_dsl.foundation.user_folders import temporary_folder
from cifar_dsl.runs import check_root, on_changed_file, place_of, record_failure
from cifar_dsl.training.artifacts import network_of_teacher, selection_of, share_seen, teacher_of
from cifar_dsl.training.device import Choice, choose_device, memory_bytes, spare_gpus
from cifar_dsl.training.events import Event, FinalEvent, TrainingEnded, TrainingFailed, TrainingStopped
from cifar_dsl.training.options import TrainOptions
from cifar_dsl.training.precision import why_slow
from cifar_dsl.training.starting_weights import match_all

if TYPE_CHECKING:
    from cifar_dsl.training.datasets import Dataset


@frozen
class _Plan:
    """How jobs are run: by `workers` processes of `threads` threads each; `description` is the plan in words.

    `threads` is None where torch chooses. Workers that `share_devices` can't measure their energy.
    """

    executor: Executor
    workers: int
    threads: int | None
    device: str
    description: str
    share_devices: bool
    jobs: int | None  # that keep all devices busy; None: one for each training
    choice: Choice | None = None  # of this machine's device
    devices: int = 1  # that the workers share
    needs: "tuple[Need, ...]" = ()  # of a training of each spec, on a CPU


@frozen
class Need:
    """The memory that a training takes, in bytes: in all, and of it the pictures that all processes share."""

    spec: "api.Spec"
    total: int
    shared: int

    def of(self, count: int) -> int:
        """The memory of several such trainings, each in a process."""
        return self.shared + count * (self.total - self.shared)

    def count_in(self, memory: int) -> int:
        """How many fit in this memory, at least one."""
        return max(1, (memory - self.shared) // (self.total - self.shared))


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
    plan = _ray_plan(options) if is_remote else _local_plan(options, len(missing), to_train)
    planned = evolve(options, device=plan.device, threads=plan.threads)
    jobs = _planned(missing, planned, display_names or {}, plan)
    if plan.choice and not options.quiet:
        at_a_time = math.ceil(min(plan.workers, len(jobs)) / plan.devices)
        together = max((len(job.seeds) for job in jobs), default=1)
        needs = plan.needs if together == 1 and plan.needs else _needs(to_train, plan.choice, together)
        _warn(needs, plan.choice, at_a_time=at_a_time, together=together)
    if not options.quiet:
        _warn_of_changed_files(jobs)
    count = sum(map(len, chosen.values()))
    if not options.quiet and count > 1:
        time = ""
        if missing and plan.choice:
            works = [Work.of(spec, len(d.y_train)) for spec, d, _ in missing]
            time = f", {forecast(works, options.runs, plan.choice, plan.workers, plan.threads)}"
        note(f"runs: {count - len(missing)} exist, {len(missing)} to train{time}")
    if not options.quiet:
        for spec in {spec.fingerprint: spec for spec, *_ in missing}.values():
            _show_start(spec)
    if not options.quiet and missing:
        note(f"device  {plan.description}")
    if plan.choice:
        plan.choice.stop_asking()
    return run_jobs(jobs, options, plan.executor)


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


def _needs(to_train: "Iterable[tuple[api.Spec, Dataset]]", choice: Choice, together: int = 1) -> list[Need]:
    """The memory of a training of each spec, of that many seeds side by side."""
    needs: list[Need] = []
    for spec, dataset in to_train:
        recipe, teacher = spec.analysis.require_recipe(), network_of_teacher(spec.uses)
        images, share = len(dataset.y_train) + len(dataset.y_test), share_seen(spec.uses)
        parts = estimate(spec.graph, recipe, images, choice.device.type, teacher, share, seeds=together)
        is_copied = recipe.validation > 0 or recipe.normalize.is_first  # without the held-out ones, or normalised
        is_shared = dataset.is_mapped and choice.device.type == "cpu" and not is_copied
        needs.append(Need(spec, parts["total"], parts["dataset"] if is_shared else 0))
    return needs


def _warn(needs: Sequence[Need], choice: Choice, *, at_a_time: int, together: int = 1) -> None:
    """Warn if a training probably needs more memory than the device has, or if its precision is slow there.

    `at_a_time` jobs share the memory, each in a process, and train at most `together` seeds each, side by side.
    """
    memory = choice.ask(memory_bytes, choice.device)
    slow: dict[str, str] = {}
    for need in needs:
        if memory is not None and need.of(at_a_time) > memory:
            seeds = f" with {together} seeds side by side" if together > 1 else ""
            parallel = f" {at_a_time} times in parallel" if at_a_time > 1 else ""
            fewer = "; train fewer in parallel with --jobs" if at_a_time > 1 else ""
            fewer = "; train fewer --seeds at once" if together > 1 else fewer
            note(
                f"warning: training {need.spec.name}{parallel}{seeds} takes about {in_short(need.of(at_a_time), 'B')}, "
                f"but {choice.device} has {in_short(memory, 'B')} of free memory; `--dry-run` shows a breakdown{fewer}"
            )
        precision = need.spec.analysis.require_recipe().precision
        if precision != "fp32" and (reason := choice.ask(why_slow, precision, choice.device)):
            slow[precision] = reason
    for name, reason in slow.items():
        note(f"warning: {name} is slow here, because {reason}; `--set train.precision=fp32` is faster")


def _warn_of_changed_files(jobs: Sequence[Job]) -> None:
    """Warn of interrupted runs that aren't resumed, because their array file has changed."""
    for job in jobs:
        for seed in job.seeds:
            if job.data_path and (run := on_changed_file(job.options.runs, job.identity(seed), job.data_path)):
                note(
                    f"warning: {job.data_path} has changed since {run.path} was interrupted, so a new run begins; "
                    "restore the file to resume that one"
                )


def _local_plan(options: TrainOptions, trainings: int, to_train: "Iterable[tuple[api.Spec, Dataset]]" = ()) -> _Plan:
    choice = choose_device(options.device)
    gpus = spare_gpus(options.device)
    needs = _needs(to_train, choice) if choice.device.type == "cpu" else []
    most = _most_in_memory(needs, choice)
    workers, threads = spread(options, choice, trainings, most)
    is_limited = most is not None and workers < spread(options, choice, trainings)[0]
    if choice.device.type == "cuda" and workers > 1:
        choice = evolve(choice, is_used_elsewhere=True)
    shown = "" if threads is None else f" of {threads} thread{'' if threads == 1 else 's'}"
    shared = f" on {min(workers, len(gpus))} GPUs" if len(gpus) > 1 else ""
    together = f"; {workers} process{'es' if workers > 1 else ''}{shown}{shared}" if workers > 1 or is_limited else ""
    together += ", as many as fit in its memory" if is_limited else ""
    return _Plan(
        LocalExecutor(workers, gpus) if workers > 1 else InlineExecutor(),
        workers,
        threads,
        str(choice.device),
        f"{choice.device} ({choice.name}); {choice.reason}{together}",
        share_devices=workers > max(1, len(gpus)),
        jobs=None if choice.device.type == "cpu" else workers,
        choice=choice,
        devices=max(1, len(gpus)),
        needs=tuple(needs),
    )


def _most_in_memory(needs: Sequence[Need], choice: Choice) -> int | None:
    """How many trainings of the largest network fit in the memory that is free; None if that is unknown."""
    memory = choice.ask(memory_bytes, choice.device) if needs else None
    return None if memory is None else min(need.count_in(memory) for need in needs)


def _ray_plan(options: TrainOptions) -> _Plan:
    """The plan for a Ray cluster, where a training has one thread by default, as parallel processes here do."""
    from cifar_dsl.experiments.jobs.ray import RayExecutor, cluster_resources, connect

    connect(options.address)
    cpus, gpus, nodes = cluster_resources()
    device = options.device if options.device != "auto" else "cuda" if gpus else "cpu"
    threads = options.threads or 1
    if threads > cpus or (device.startswith("cuda") and not gpus):
        note("warning: no node has the resources that a job needs; waiting for one to join")
    description = f"{device} on a Ray cluster: nodes {nodes}, CPUs {cpus}, GPUs {gpus}"
    workers = cpus // threads or 1
    jobs = None if device == "cpu" else max(1, gpus)
    return _Plan(RayExecutor(), workers, threads, device, description, share_devices=workers > 1, jobs=jobs)


def spread(options: TrainOptions, choice: Choice, trainings: int, most: int | None = None) -> tuple[int, int | None]:
    """The number of processes for a number of trainings, and the threads of each (None: the default).

    On CPUs, one single-threaded process for each is fastest overall, if the memory is enough for that: without
    `options.jobs`, there are at most `most`. Otherwise there is one process per GPU, which trains seeds of a spec side
    by side: all of them, unless there are more GPUs than specs.
    """
    if choice.device.type != "cpu":
        return options.jobs or max(1, min(len(spare_gpus(options.device)), trainings)), options.threads
    cpus = usable_cpus()
    workers = max(1, min(options.jobs or min(cpus, most or cpus), trainings))
    return workers, options.threads or (1 if workers > 1 else None)


def _planned(
    missing: "Sequence[tuple[api.Spec, Dataset, int]]",
    options: TrainOptions,
    display_names: Mapping[str, str],
    plan: _Plan,
) -> list[Job]:
    """One job per training; on a GPU, jobs of several seeds of a spec, which are trained side by side.

    Seeds of one spec are spread evenly over as many jobs as it takes to keep all devices busy.
    """
    packed: dict[str, tuple[api.Spec, Dataset, list[int]]] = {}
    for spec, dataset, seed in missing:
        packed.setdefault(spec.fingerprint, (spec, dataset, []))[2].append(seed)
    jobs_each = len(missing) if plan.jobs is None else math.ceil(plan.jobs / max(1, len(packed)))
    return [
        api.job(
            spec,
            dataset,
            part,
            options,
            display_name=display_names.get(spec.fingerprint),
            shares_device=plan.share_devices,
        )
        for spec, dataset, seeds in packed.values()
        for part in _parts(seeds, jobs_each)
    ]


def _parts(seeds: Sequence[int], count: int) -> list[Sequence[int]]:
    """The seeds in at most `count` parts, none of which is empty or has two seeds more than another."""
    count = min(count, len(seeds))
    ends = [number * len(seeds) // count for number in range(count + 1)]
    return [seeds[start:end] for start, end in itertools.pairwise(ends)]


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
