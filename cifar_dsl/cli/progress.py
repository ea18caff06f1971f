"""How training and downloads show that they go on: live bars on a terminal, a line now and then elsewhere."""

import json
import math
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import cattrs
import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from cifar_dsl.cli.output import note
from cifar_dsl.diagnostics.render import visible
from cifar_dsl.jobs import Began, EpochEnded, Event, Failed, Finished, Job, Noted, Stepped, Stopped
from cifar_dsl.runs import EpochMetrics
from cifar_dsl.text import duration
from cifar_dsl.training.loop import StepProgress
from cifar_dsl.training.recorder import Listener

_REFRESH_S = 0.1


class EpochProgress:
    """One line an epoch, and on a terminal a bar with the time that is left."""

    def __init__(self, epochs: int | float, *, quiet: bool = False, as_json: bool = False, label: str = "") -> None:
        self._epochs = epochs
        self._begun = math.ceil(epochs)  # the last one may be a part
        self._speaks = not (quiet or as_json)
        self._as_json = as_json
        self._label = label
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._shown_at = 0.0
        self._spent_s: list[float] = []
        self._latest = ""  # what the last epoch gave, beside the bar

    def __enter__(self) -> Self:
        if self._speaks and sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %", markup=False),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(f"{self._label}epoch 1/{self._begun}", total=self._epochs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def listener(self) -> Listener:
        """What to hand to the training."""
        return Listener(on_epoch=self._epoch, on_step=self._step, on_note=self._note)

    def _step(self, progress: StepProgress) -> None:
        if not self._bar or self._task is None:
            return
        now = time.monotonic()
        if now - self._shown_at < _REFRESH_S:
            return
        self._shown_at = now
        self._bar.update(
            self._task,
            completed=progress.epoch - 1 + progress.step / progress.steps * self._length(progress.epoch),
            description=f"{self._label}epoch {progress.epoch}/{progress.epochs}{self._latest}",
        )

    def _epoch(self, metrics: EpochMetrics) -> None:
        if self._as_json:
            click.echo(json.dumps({"event": "epoch"} | cattrs.unstructure(metrics)))
            return
        if not self._speaks:
            return
        self._spent_s.append(metrics.time_s + metrics.evaluation_time_s)
        left_s = max(0, self._epochs - metrics.epoch) * sum(self._spent_s) / len(self._spent_s)
        line = (
            f"{self._label}epoch {metrics.epoch:>{len(str(self._begun))}}/{self._begun}  "
            f"train loss {metrics.train_loss:.4f}, accuracy {metrics.train_accuracy:.4f}  "
            f"test loss {metrics.test_loss:.4f}, accuracy {metrics.test_accuracy:.4f}  "
            f"{duration(self._spent_s[-1])}" + (f", {duration(left_s)} left" if left_s else "")
        )
        self._latest = f"  loss {metrics.train_loss:.3f}, test accuracy {metrics.test_accuracy:.4f}"
        if self._bar:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            note(line)

    def _note(self, text: str) -> None:
        if self._speaks:
            note(visible(text))

    def _length(self, epoch: int) -> float:
        """Which part of an epoch this one is."""
        return min(1, self._epochs - (epoch - 1))


class JobsProgress:
    """Several trainings at a time: a line an epoch, and on a terminal a bar for each and one for all."""

    def __init__(self, jobs: Sequence[Job], *, quiet: bool = False, as_json: bool = False) -> None:
        self._jobs = jobs
        self._speaks = not (quiet or as_json)
        self._as_json = as_json
        self._bar: Progress | None = None
        self._whole: TaskID | None = None
        self._tasks: dict[int, TaskID] = {}
        self._epochs: dict[int, float] = {}  # of each job, in all
        self._done = 0

    def __enter__(self) -> Self:
        if self._speaks and self._jobs and sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %", markup=False),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._whole = self._bar.add_task(f"0 of {len(self._jobs)} done", total=len(self._jobs))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def take(self, number: int, event: Event) -> None:
        """Show an event of a job."""
        job = self._jobs[number]
        match event:
            case Began(epochs=epochs):
                self._epochs[number] = epochs
                if self._bar:
                    self._tasks[number] = self._bar.add_task(visible(job.label), total=epochs)
            case Stepped(epochs=epochs):
                self._move(number, epochs)
            case EpochEnded(seed=seed, metrics=metrics):
                self._end_epoch(number, seed, metrics)
            case Noted(text=text):
                self._say(visible(text))
            case Finished() | Stopped() | Failed():
                self._end(number, event)

    def _move(self, number: int, epochs: float) -> None:
        if self._bar and number in self._tasks:
            self._bar.update(self._tasks[number], completed=epochs)
            self._update_whole()

    def _update_whole(self) -> None:
        """One bar over all jobs, those that run counted by their part."""
        if self._bar is None or self._whole is None:
            return
        tasks = {task.id: task for task in self._bar.tasks}
        running = sum(tasks[task].completed / max(1e-9, tasks[task].total or 1) for task in self._tasks.values())
        self._bar.update(
            self._whole, completed=self._done + running, description=f"{self._done} of {len(self._jobs)} done"
        )

    def _end_epoch(self, number: int, seed: int, metrics: EpochMetrics) -> None:
        name = self._jobs[number].name
        if self._as_json:
            fields = {"event": "epoch", "spec": name, "seed": seed} | cattrs.unstructure(metrics)
            click.echo(json.dumps(fields))
            return
        epochs = math.ceil(self._epochs.get(number, metrics.epoch))
        self._say(
            f"[{self._done + 1}/{len(self._jobs)}] {visible(name)} seed {seed}  epoch {metrics.epoch}/{epochs}  "
            f"train loss {metrics.train_loss:.4f}, accuracy {metrics.train_accuracy:.4f}  "
            f"test loss {metrics.test_loss:.4f}, accuracy {metrics.test_accuracy:.4f}  "
            f"{duration(metrics.time_s + metrics.evaluation_time_s)}"
        )

    def _end(self, number: int, event: Event) -> None:
        task = self._tasks.pop(number, None)
        if self._bar and task is not None:
            self._bar.remove_task(task)
        if not isinstance(event, Stopped):
            self._done += 1
        self._update_whole()

    def _say(self, line: str) -> None:
        if not self._speaks:
            return
        if self._bar:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            note(line)


class DownloadProgress:
    """Shows how far a download or an import is; called with what is done, of how much, and of what."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """Take note of progress."""
        if self._quiet:
            return
        if not sys.stderr.isatty():
            self._tell(done, total, what)
            return
        if self._bar is None:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                DownloadColumn() if "download" in what.lower() else TextColumn("{task.completed}/{task.total}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._bar.start()
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total)
        self._bar.update(self._tasks[what], completed=done, total=total)

    def _tell(self, done: int, total: int | None, what: str) -> None:
        """A line at every tenth."""
        tenth = 10 * done // total if total else 0
        if self._told.get(what) != tenth:
            self._told[what] = tenth
            note(f"{what}: {tenth * 10} %" if total else what)
