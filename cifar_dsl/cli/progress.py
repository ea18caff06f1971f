"""Progress of trainings and downloads: live bars on a terminal, occasional lines elsewhere."""

import math
import statistics
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import cattrs
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from cifar_dsl.cli.output import clear_status, note, print_json, test_text
from cifar_dsl.experiments.jobs import Job
from cifar_dsl.foundation.text import accuracy_in_percent, duration, points
from cifar_dsl.language.diagnostics.render import visible
from cifar_dsl.runs import EpochMetrics
from cifar_dsl.training.events import (
    EpochEnded,
    Event,
    FinalEvent,
    Note,
    StepsDone,
    TrainingEnded,
    TrainingFailed,
    TrainingStarted,
    TrainingStopped,
)

_MOST_EXITS = 4  # whose accuracies stand in a line


class _LiveBar:
    """A bar on a terminal, which `_start` shows and the end of the `with` block removes."""

    def __init__(self) -> None:
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            with suppress(OSError):  # the terminal is gone
                self._bar.stop()

    def _start(self, amount: ProgressColumn, *, is_transient: bool = True) -> Progress:
        """Show the bar, with this column for what is done."""
        clear_status()
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            amount,
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=is_transient,
        )
        self._bar.start()
        return self._bar


class JobsProgress(_LiveBar):
    """Shows the progress of jobs: a line per epoch, and on a terminal a bar per job and one for all jobs."""

    def __init__(self, jobs: Sequence[Job], *, quiet: bool = False, as_json: bool = False) -> None:
        super().__init__()
        self._jobs = jobs
        self._is_quiet = quiet
        self._shows_lines = not (quiet or as_json)
        self._as_json = as_json
        self._whole: TaskID | None = None
        self._tasks: dict[int, TaskID] = {}
        self._epochs: dict[int, float] = {}  # in total, by job
        self._spent_s: dict[tuple[int, int], list[float]] = {}  # on each epoch, by job and seed
        self._done = 0

    def __enter__(self) -> Self:
        if self._shows_lines and self._jobs and sys.stderr.isatty():
            bar = self._start(TextColumn("{task.percentage:>3.0f} %", markup=False))
            if len(self._jobs) > 1:
                self._whole = bar.add_task(f"0 of {len(self._jobs)} done", total=len(self._jobs))
        return self

    def show(self, number: int, event: Event) -> None:
        """Show an event of a job."""
        job = self._jobs[number]
        match event:
            case TrainingStarted(epochs=epochs):
                self._epochs[number] = epochs
                if self._bar:
                    self._tasks[number] = self._bar.add_task(visible(job.label), total=epochs)
            case StepsDone():
                self._move(number, event.epochs_done)
            case EpochEnded():
                self._end_epoch(number, event)
            case Note(text=text):
                if not self._is_quiet:
                    self._print(text)
            case TrainingEnded() | TrainingStopped() | TrainingFailed():
                self._end(number, event)

    def _move(self, number: int, epochs: float) -> None:
        if self._bar and number in self._tasks:
            self._bar.update(self._tasks[number], completed=epochs)
            self._update_whole()

    def _update_whole(self) -> None:
        """Update the bar of all jobs, which counts running jobs by their completed fraction."""
        if self._bar is None or self._whole is None:
            return
        tasks = {task.id: task for task in self._bar.tasks}
        running = sum(tasks[task].completed / max(1e-9, tasks[task].total or 1) for task in self._tasks.values())
        self._bar.update(
            self._whole, completed=self._done + running, description=f"{self._done} of {len(self._jobs)} done"
        )

    def _end_epoch(self, number: int, event: EpochEnded) -> None:
        job, seed, metrics = self._jobs[number], event.seed, event.metrics
        if self._as_json:
            fields = {"event": "epoch", "spec": job.spec.name, "seed": seed} | cattrs.unstructure(metrics)
            print_json(fields)
            return
        if not self._shows_lines:
            return
        epochs = self._epochs.get(number, metrics.epoch)
        spent_s = metrics.time_s + metrics.evaluation_time_s
        self._spent_s.setdefault((number, seed), []).append(spent_s)
        mean_s = statistics.fmean(self._spent_s[number, seed])
        left_s = max(0, epochs - metrics.epoch) * mean_s
        pace = [duration(spent_s)]
        if metrics.time_s:
            pace.append(f"{event.images / metrics.time_s:,.0f} images/s")
        if left_s:
            pace.append(f"{duration(left_s)} left")
        last = math.ceil(epochs)  # which may be a partial epoch
        is_only_run = len(self._jobs) == len(job.seeds) == 1
        label = "" if is_only_run else f"[{number + 1}/{len(self._jobs)}] {job.display_name} seed {seed}  "
        trained = f"train loss {metrics.train_loss:.4f}, accuracy {accuracy_in_percent(metrics.train_accuracy)}"
        parts = [
            f"{label}epoch {metrics.epoch:>{len(str(last))}}/{last}",
            trained + _of_exits(metrics),
            test_text(metrics),
            ", ".join(pace),
        ]
        self._print("  ".join(filter(None, parts)))

    def _end(self, number: int, event: FinalEvent) -> None:
        task = self._tasks.pop(number, None)
        if self._bar and task is not None:
            self._bar.remove_task(task)
        if not isinstance(event, TrainingStopped):
            self._done += 1
        self._update_whole()

    def _print(self, line: str) -> None:
        if self._bar:
            self._bar.console.print(visible(line), markup=False, highlight=False, soft_wrap=True)
        else:
            note(line)


def _of_exits(metrics: EpochMetrics) -> str:
    """The training accuracies of exits, of many the first and the last."""
    accuracies = [points(one.train_accuracy, 2) for one in metrics.exits]
    if len(accuracies) > _MOST_EXITS:
        accuracies = [accuracies[0], "...", accuracies[-1]]
    return f" (exits {' '.join(accuracies)} %)" if accuracies else ""


class StepProgress(_LiveBar):
    """A bar of steps on a terminal, and nothing elsewhere; called with the number of steps done, and of all."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self._label = label
        self._task: TaskID | None = None

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` steps are done."""
        if not sys.stderr.isatty():
            return
        bar = self._bar or self._start(TextColumn("{task.completed:.0f}/{task.total:.0f}", markup=False))
        if self._task is None:
            self._task = bar.add_task(self._label, total=total)
        bar.update(self._task, completed=done)


class DownloadProgress(_LiveBar):
    """Shows the progress of a download or an import; called with the amount done, the total and the task."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__()
        self._quiet = quiet
        self._tasks: dict[str, TaskID] = {}
        self._last_tenth: dict[str, int] = {}

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """Show that `done` of `total` bytes or images of the task `what` are done; `total` is None if unknown."""
        if self._quiet:
            return
        if not sys.stderr.isatty():
            self._print_tenth(done, total, what)
            return
        amount = DownloadColumn() if "download" in what.lower() else TextColumn("{task.completed}/{task.total}")
        bar = self._bar or self._start(amount, is_transient=False)
        if what not in self._tasks:
            self._tasks[what] = bar.add_task(visible(what), total=total)
        bar.update(self._tasks[what], completed=done, total=total)

    def _print_tenth(self, done: int, total: int | None, label: str) -> None:
        """Print a line at every tenth of the total."""
        tenth = 10 * done // total if total else 0
        if self._last_tenth.get(label) != tenth:
            self._last_tenth[label] = tenth
            note(f"{label}: {tenth * 10} %" if total else label)
