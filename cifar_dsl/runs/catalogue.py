"""Lists the runs in a folder: complete, interrupted and damaged ones, and leftovers of crashes."""

import math
import os
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from cifar_dsl.compiler import analyze_text
from cifar_dsl.foundation.errors import NewerRunError, RunError
from cifar_dsl.foundation.folders import files_below
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import natural_order
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.runs.file_errors import damaged
from cifar_dsl.runs.folder import Run, folders_with_runs, restore
from cifar_dsl.runs.lock import is_locked
from cifar_dsl.runs.places import FOLDER, PARTIAL, PLACE, RECORD, REMOVED, REPLACED, WEIGHTS, partial_path, seed_of
from cifar_dsl.runs.records import Failure, RunRecord, RunResult

# Times of files that `datetime` can hold, in any time zone; a wrong clock writes others.
_EARLIEST, _LATEST = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (2, 9999))


class Status(StrEnum):
    """The status of a run."""

    COMPLETE = "complete"
    WITHOUT_WEIGHTS = "no weights"  # complete, but for the weights: a copy of its small files
    DIVERGED = "diverged"
    UNFINISHED = "unfinished"  # interrupted; can be resumed
    FAILED = "failed"  # by a reported error; can be resumed
    RUNNING = "running"  # a process trains it
    DAMAGED = "damaged"
    NEWER = "newer"  # written by a newer version of cifar_dsl, in a format that this one doesn't know
    LEFTOVER = "leftover"  # of a replacement or removal that was interrupted


@frozen
class FoundRun:
    """A run at `path`, which belongs in `place`. `record` and `result` are None if they can't be read.

    An incomplete run has the `epoch` at which it resumes, and the recipe's number of `epochs` if its spec can be read.
    `problem` describes the damage, or why this version can't read the run, and `failure` why training failed.
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
        """The name of its spec."""
        return self.record.spec.name if self.record else self.place.parent.name.rpartition("-")[0]

    @property
    def seed(self) -> int:
        """Its seed."""
        return seed_of(self.place.name)

    @property
    def state(self) -> str:
        """The status in words, with the epoch of an incomplete run."""
        if self.epoch is None:
            return self.status.value
        return f"{self.status} at epoch {self.epoch}" + (f" of {self.epochs:g}" if self.epochs else "")

    def files(self) -> dict[Path, os.stat_result]:
        """All its files by path, those of a folder before those below it; without those that disappear meanwhile."""
        found = {Path(path): status for path, status in files_below(self.path)}
        return {path: found[path] for path in sorted(found, key=lambda path: (path.parent, path.name))}

    def size(self) -> int:
        """The size of all its files, in bytes."""
        return self.size_and_change()[0]

    def changed(self) -> datetime:
        """The time of the last change to one of its files."""
        return self.size_and_change()[1]

    def size_and_change(self) -> tuple[int, datetime]:
        """Both, by asking the system for each file once."""
        statuses = [status for _, status in files_below(self.path)]
        latest = max((status.st_mtime for status in statuses), default=0)  # 0: all files are gone
        time = datetime.fromtimestamp(min(max(latest, _EARLIEST), _LATEST), UTC)
        return sum(status.st_size for status in statuses), time


def entries(folder: Path) -> Iterator[FoundRun]:
    """The runs in `folder`, which may itself be a run, by path. Runs that a crash left beside their place move back."""
    if folder.name in {"", ".."}:  # names no run folder
        folder = folder.resolve()
    if FOLDER.fullmatch(folder.name):
        found = [(folder.parent, [folder.name, partial_path(folder).name])]
    else:
        found = sorted(folders_with_runs(folder), key=lambda one: natural_order(one[0]))
    for above, names in found:
        for name in _names_of_places(above, names):
            path = above / name
            entry = entry_of(path.with_name(_place(name)) if "." in name else path, path)
            # Of most runs, the files say enough; others can have moved or gone meanwhile.
            if entry.status is Status.COMPLETE or path.is_dir():
                yield entry


def _names_of_places(above: Path, names: Collection[str]) -> list[str]:
    """The names of runs in a folder, by seed, once those that a crash left beside their place have moved back."""
    if all(PLACE.fullmatch(name) for name in names):
        return sorted(names, key=_order)
    for name in names:
        restore(above / _place(name))
    found = {name if (above / name).is_dir() else _place(name) for name in names}
    return sorted((name for name in found if (above / name).is_dir()), key=_order)


def _place(name: str) -> str:
    return name.partition(".")[0]


def _order(name: str) -> tuple[int, str]:
    return seed_of(name), name


def entry_of(place: Path, path: Path, *, is_ours: bool = False) -> FoundRun:
    """The run at `path`, which belongs in `place`. `verification` checks digests; this doesn't.

    With `is_ours`, the caller holds the lock, so another process can't be training the run.
    """
    suffix = path.suffix
    if suffix in {REPLACED, REMOVED}:
        return FoundRun(place, path, Status.LEFTOVER)
    run = Run(path)
    if suffix == PARTIAL:
        return _unfinished(place, run, is_running=not is_ours and is_locked(place))
    try:
        record, result = run.record(), run.unverified_result()
        has_weights = os.path.isfile(f"{path}{os.sep}{WEIGHTS}")  # noqa: PTH113  a Path takes longer than the call
        if result.accuracy is not None and not has_weights and run.weights.exists():
            raise damaged(run.weights)
    except RunError as error:
        return FoundRun(place, path, _status_of(error), problem=error.message)
    if result.status == "diverged":
        return FoundRun(place, path, Status.DIVERGED, record, result)
    status = Status.COMPLETE if has_weights else Status.WITHOUT_WEIGHTS
    return FoundRun(place, path, status, record, result)


def _status_of(error: RunError) -> Status:
    return Status.NEWER if isinstance(error, NewerRunError) else Status.DAMAGED


def _unfinished(place: Path, run: Run, *, is_running: bool) -> FoundRun:
    status = Status.RUNNING if is_running else Status.UNFINISHED
    failure = None
    try:
        record = run.record()
        if not is_running and (failure := run.failure()):
            status = Status.FAILED
    except RunError as error:
        if is_running or not (run.path / RECORD).exists():  # it has just started, or stopped before it wrote a record
            return FoundRun(place, run.path, status)
        return FoundRun(place, run.path, _status_of(error), problem=error.message)
    try:
        recipe = analyze_text(run.spec_text, record.spec.name).recipe
        epochs, first = (recipe.epochs, recipe.epochs_before + 1) if recipe else (None, 1)
    except (RunError, SpecError):  # SpecError: the spec is of another version of cifar_dsl
        epochs, first = None, 1
    latest = next(iter(checkpoints(run.path)), None)
    epoch = latest.epoch if latest else first
    if epochs is not None:
        epoch = min(epoch, math.ceil(epochs))  # after the last epoch, it only has to be completed
    return FoundRun(place, run.path, status, record, epoch=epoch, epochs=epochs, failure=failure)
