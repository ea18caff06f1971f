"""Removing runs, and what is left of them: never one that a process trains, and never by halves."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs.catalogue import FoundRun, Status, entry_of
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.runs.lock import RunLock
from cifar_dsl.runs.places import lock_path, partial_path, removed_path
from cifar_dsl.runs.verification import problems

_GO_ON = {Status.UNFINISHED, Status.FAILED}  # a damaged checkpoint of theirs is passed over


@frozen
class Removal:
    """What is to be removed of a run: the whole folder, or single checkpoints of it."""

    entry: FoundRun
    what: str
    checkpoints: tuple[Path, ...] = ()

    def size(self) -> int:
        """Bytes that become free."""
        return sum(path.stat().st_size for path in self.checkpoints) if self.checkpoints else self.entry.size()

    def remove(self) -> None:
        """Remove it under the run's lock. Raises RunError where a process trains the run, or it has changed."""
        entry = self.entry
        if entry.path.is_symlink():
            raise RunError(f"{entry.path} is a link")
        lock = RunLock(entry.place)
        try:
            lock.acquire()
            now = entry_of(entry.place, entry.path, is_ours=True)
            if (now.record, now.result, now.epoch) != (entry.record, entry.result, entry.epoch):
                raise RunError(f"{entry.path} has changed in the meantime")
            for path in self.checkpoints:
                path.unlink(missing_ok=True)
            if not self.checkpoints:
                _remove_folder(entry)
            if not entry.place.exists() and not partial_path(entry.place).exists():
                lock_path(entry.place).unlink(missing_ok=True)  # while it is held: who waits for it makes a new one
        except OSError as error:
            raise RunError(f"{error.filename or entry.path} can't be removed: {error.strerror}") from error
        finally:
            lock.release()
        with suppress(OSError):  # it holds other runs
            entry.place.parent.rmdir()


@frozen
class Selection:
    """Which runs are to be removed: those of the `statuses`, and `superseded` checkpoints of those that stay.

    Of these only the runs of `specs`, patterns of names, if there are any, and those that nothing was written of
    since `before`.
    """

    statuses: frozenset[Status]
    superseded: bool = False
    specs: tuple[str, ...] = ()
    before: datetime | None = None

    def removals(self, entries: Iterable[FoundRun]) -> Iterator[Removal]:
        """What is to be removed."""
        for entry in entries:
            if entry.status is Status.RUNNING or not self._has(entry):
                continue
            if entry.status in self.statuses:
                yield Removal(entry, entry.state)
            elif Status.DAMAGED in self.statuses and entry.status not in _GO_ON and problems(entry):
                yield Removal(entry, Status.DAMAGED.value)
            elif self.superseded and (found := tuple(_superseded(entry))):
                yield Removal(entry, f"{len(found)} of its checkpoints", found)

    def _has(self, entry: FoundRun) -> bool:
        names = (entry.name, entry.place.parent.name)
        is_named = not self.specs or any(fnmatchcase(name, spec) for name in names for spec in self.specs)
        return is_named and (self.before is None or entry.changed() < self.before)


def _superseded(entry: FoundRun) -> Iterator[Path]:
    """The checkpoints of an unfinished run that aren't needed: all but the furthest that is whole."""
    found = checkpoints(entry.path)
    furthest = next((one for one in found if one.content() is not None), None)
    return (one.path for one in found if furthest and one != furthest)


def _remove_folder(entry: FoundRun) -> None:
    """Rename it first: a folder that is called like a run is always whole."""
    removed = removed_path(entry.place)
    if entry.path != removed:
        if removed.exists():
            shutil.rmtree(removed)
        entry.path.rename(removed)
    shutil.rmtree(removed)
