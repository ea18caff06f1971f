"""Several trainings in one command: those that are missing, as jobs, with one view of all."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from attrs import frozen

from cifar_dsl import api
from cifar_dsl.cli.asking import ask_about_size
from cifar_dsl.cli.main import EXIT_BUG, EXIT_WRONG
from cifar_dsl.cli.output import note
from cifar_dsl.cli.progress import JobsProgress
from cifar_dsl.cli.stopping import Stop, stoppable
from cifar_dsl.cli.way import Way
from cifar_dsl.diagnostics.render import visible
from cifar_dsl.jobs import Event, Failed, Finished, InlineExecutor, Job, LocalExecutor
from cifar_dsl.memory import estimate
from cifar_dsl.semantics import Analysis
from cifar_dsl.text import in_short
from cifar_dsl.training.device import Choice, choose_device, memory_bytes
from cifar_dsl.training.precision import why_slow

if TYPE_CHECKING:
    from cifar_dsl.data import Dataset


@frozen
class Outcome:
    """What became of the jobs."""

    jobs: tuple[Job, ...]
    events: tuple[Event, ...]
    stop: Stop

    @property
    def failures(self) -> list[tuple[Job, Failed]]:
        """The jobs that could not be done."""
        pairs = zip(self.jobs, self.events, strict=True)
        return [(job, event) for job, event in pairs if isinstance(event, Failed)]

    @property
    def is_complete(self) -> bool:
        """Whether all were done."""
        return all(isinstance(event, Finished) for event in self.events)

    @property
    def exit_code(self) -> int:
        """0 where all were done; else who is to blame."""
        if self.stop.wanted():
            return self.stop.exit_code
        if any(failure.trace for _, failure in self.failures):
            return EXIT_BUG
        return 0 if self.is_complete else EXIT_WRONG


def train_missing(
    opened: "Sequence[tuple[api.Spec, Dataset]]",
    seeds: Sequence[int],
    way: Way,
    *,
    quiet: bool = False,
    as_json: bool = False,
) -> Outcome:
    """Train the runs that aren't there yet of these specs and seeds; specs of one meaning share them."""
    wanted: dict[str, tuple[api.Spec, Dataset]] = {}
    for spec, dataset in opened:
        wanted.setdefault(spec.fingerprint, (spec, dataset))
    missing = [
        (spec, dataset, seed)
        for spec, dataset in wanted.values()
        for seed in seeds
        if way.habits.retrain or not api.find_run(spec, way.runs, seed, dataset.digest)
    ]
    to_train = {spec.fingerprint: (spec.analysis, dataset) for spec, dataset, _ in missing}.values()
    ask_about_size([analysis for analysis, _ in to_train], agreed=way.agreed)
    choice = choose_device(way.device)
    for analysis, dataset in to_train:
        _warn_of_memory(analysis, dataset, choice)
    jobs, workers = _planned(missing, way, choice)
    count = len(wanted) * len(seeds)
    if not quiet and count > 1:
        note(f"runs: {count - len(missing)} are there, {len(missing)} to train")
    if not quiet and missing:
        threads = f"{jobs[0].threads} thread{'' if jobs[0].threads == 1 else 's'}"
        together = f"; {workers} processes of {threads}" if workers > 1 else ""
        note(f"device  {choice.device} ({choice.name}); {choice.reason}{together}")
        for name in dict.fromkeys(spec.recipe.precision for spec, _, _ in missing if spec.recipe):
            if reason := why_slow(name, choice.device):
                note(f"warning: {name} is slow here, because {reason}; `--set train.precision=fp32` computes faster")
    return run_jobs(jobs, workers, quiet=quiet, as_json=as_json)


def run_jobs(jobs: Sequence[Job], workers: int = 1, *, quiet: bool = False, as_json: bool = False) -> Outcome:
    """Work jobs off, show how they go on, and say what failed."""
    with JobsProgress(jobs, quiet=quiet, as_json=as_json) as progress, stoppable() as stop:
        executor = LocalExecutor(workers) if workers > 1 else InlineExecutor()
        events = executor.run(jobs, progress.take, stop.wanted)
    outcome = Outcome(tuple(jobs), tuple(events), stop)
    for job, failure in outcome.failures:
        _tell(job, failure)
    if stop.wanted():
        note("stopped; all that was trained is kept, and the same command goes on from there")
    return outcome


def _warn_of_memory(analysis: Analysis, dataset: "Dataset", choice: Choice) -> None:
    """Say so beforehand where a training will hardly fit into the device's memory; it is an estimate, so try it."""
    assert analysis.recipe is not None
    images = len(dataset.y_train) + len(dataset.y_test)
    there = memory_bytes(choice.device)
    needed = estimate(analysis.graph, analysis.recipe, images, choice.device.type)["together"]
    if there is not None and needed > there:
        note(
            f"warning: to train {analysis.program.name} takes about {in_short(needed, 'B')}, and {choice.device} has "
            f"{in_short(there, 'B')} of memory; `--dry-run` says what takes how much"
        )


def _planned(missing: "Sequence[tuple[api.Spec, Dataset, int]]", way: Way, choice: Choice) -> tuple[list[Job], int]:
    """Jobs, and how many processes work on them.

    On a GPU the seeds of a spec are trained side by side. On a CPU one process a core with one thread is the fastest
    for all of them together.
    """

    def job(spec: api.Spec, dataset: "Dataset", seeds: list[int], threads: int | None) -> Job:
        return api.job(
            spec,
            dataset,
            seeds,
            runs=way.runs,
            data_dir=way.data_dir,
            device=str(choice.device),
            threads=threads,
            habits=way.habits,
        )

    if choice.device.type == "cpu":
        workers = min(way.jobs or os.cpu_count() or 1, len(missing))
        threads = way.threads or (1 if workers > 1 else None)
        return [job(spec, dataset, [seed], threads) for spec, dataset, seed in missing], workers
    packed: dict[str, tuple[api.Spec, Dataset, list[int]]] = {}
    for spec, dataset, seed in missing:
        packed.setdefault(spec.fingerprint, (spec, dataset, []))[2].append(seed)
    return [job(spec, dataset, seeds, way.threads) for spec, dataset, seeds in packed.values()], way.jobs or 1


def _tell(job: Job, failure: Failed) -> None:
    click.echo(f"error: {visible(job.label)} could not be trained: {visible(failure.message)}", err=True)
    for line in failure.help:
        note(f"  = help: {visible(line)}")
    if failure.trace:
        note(failure.trace)
        note("cifar-dsl: this is a bug of cifar-dsl, not of your spec; please report it with the lines above")
