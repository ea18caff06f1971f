"""What lies in a folder of runs: complete runs, those that were broken off, and what a crash left behind."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from cifar_dsl.compiler import analyze_text
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.runs.folder import Run, restore
from cifar_dsl.runs.lock import is_locked
from cifar_dsl.runs.places import FOLDER, RECORD, WEIGHTS, partial_path
from cifar_dsl.runs.records import Failure, RunRecord, RunResult, damaged


class Status(StrEnum):
    """What has become of a run."""

    COMPLETE = "complete"
    DIVERGED = "diverged"
    UNFINISHED = "unfinished"  # whatever broke it off; it can be gone on with
    FAILED = "failed"  # by an error that was told; it can be gone on with
    RUNNING = "running"  # a process trains it now
    DAMAGED = "damaged"
    LEFTOVER = "leftover"  # of a run that was replaced or removed by a process that was broken off


@frozen
class FoundRun:
    """A run at `path`, which belongs in `place`. `record` and `result` are None where they can't be read.

    Of one that isn't complete, `epoch` is that with which it goes on, of `epochs`, if its spec can be read.
    `problem` says what is damaged, and `failure` why training failed.
    """

    place: Path
    path: Path
    status: Status
    record: RunRecord | None = None
    result: RunResult | None = None
    epoch: int | None = None
    epochs: float | None = None
    problem: str = ""
    failure: Failure | None = None

    @property
    def name(self) -> str:
        """What its spec is called."""
        return self.record.spec.name if self.record else self.place.parent.name.rpartition("-")[0]

    @property
    def seed(self) -> int:
        """Its seed."""
        return int(self.place.name.removeprefix("seed-"))

    @property
    def state(self) -> str:
        """Its status for people, with how far it is."""
        if self.epoch is None:
            return self.status.value
        return f"{self.status} at epoch {self.epoch}" + (f" of {self.epochs:g}" if self.epochs else "")

    def files(self) -> dict[Path, os.stat_result]:
        """All its files; those that a process removes meanwhile are left out."""
        found = {}
        for folder, _, names in os.walk(self.path):
            for path in (Path(folder, name) for name in sorted(names)):
                with suppress(OSError):
                    found[path] = path.lstat()
        return found

    def size(self) -> int:
        """Bytes of all its files."""
        return sum(status.st_size for status in self.files().values())

    def changed(self) -> datetime:
        """When a file of it was last written."""
        return datetime.fromtimestamp(max((status.st_mtime for status in self.files().values()), default=0), UTC)


def entries(folder: Path) -> Iterator[FoundRun]:
    """All runs that `folder` is or holds, by path; one that a crash left beside its place is put back first."""
    if folder.name in {"", ".."}:  # of which nothing could be told
        folder = folder.resolve()
    found = [folder, partial_path(folder)] if FOLDER.fullmatch(folder.name) else list(_folders(folder))
    for path in found:
        restore(_place(path))
    for path in sorted({path if path.is_dir() else _place(path) for path in found}, key=_order):
        if path.is_dir():
            yield entry_of(_place(path), path)


def _place(path: Path) -> Path:
    return path.with_name(path.name.partition(".")[0])


def _order(path: Path) -> tuple[Path, int, str]:
    return path.parent, int(_place(path).name.removeprefix("seed-")), path.name


def _folders(folder: Path) -> Iterator[Path]:
    for above, names, _ in os.walk(folder):
        runs = {name for name in names if FOLDER.fullmatch(name)}
        names[:] = set(names) - runs  # what is in a run is none
        yield from (Path(above, name) for name in runs)


def entry_of(place: Path, path: Path, *, is_ours: bool = False) -> FoundRun:
    """The run that belongs in `place` and lies at `path`. Digests are not looked at: `verification` does that.

    Whether a process trains it is not looked at either where `is_ours`, because then this one has the lock.
    """
    if path.suffix in {".replaced", ".removed"}:
        return FoundRun(place, path, Status.LEFTOVER)
    run = Run(path)
    if path.suffix == ".partial":
        return _unfinished(place, run, is_running=not is_ours and is_locked(place))
    try:
        record, result = run.record(), run.result()
        if result.accuracy is not None and not (path / WEIGHTS).is_file():
            raise damaged(path / WEIGHTS)
    except RunError as error:
        return FoundRun(place, path, Status.DAMAGED, problem=error.message)
    status = Status.COMPLETE if result.status == "finished" else Status.DIVERGED
    return FoundRun(place, path, status, record, result)


def _unfinished(place: Path, run: Run, *, is_running: bool) -> FoundRun:
    status = Status.RUNNING if is_running else Status.UNFINISHED
    failure = None
    try:
        record = run.record()
        if not is_running and (failure := run.failure()):
            status = Status.FAILED
    except RunError as error:
        if is_running or not (run.path / RECORD).exists():  # it has just begun, or never quite did
            return FoundRun(place, run.path, status)
        return FoundRun(place, run.path, Status.DAMAGED, problem=error.message)
    try:
        recipe = analyze_text(run.spec_text, record.spec.name).recipe
        epochs = recipe.epochs if recipe else None
    except (RunError, SpecError):  # the second of another version of cifar_dsl
        epochs = None
    furthest = next(iter(checkpoints(run.path)), None)
    epoch = furthest.epoch if furthest else 1
    if epochs is not None:
        epoch = min(epoch, math.ceil(epochs))  # after the last, nothing but completing it is left
    return FoundRun(place, run.path, status, record, epoch=epoch, epochs=epochs, failure=failure)
