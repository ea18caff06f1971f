"""Removes runs and leftovers: never a run in training, and never half of a run."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.folders import remove_folder
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs.catalogue import FoundRun, Status, entry_of
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.runs.lock import RunLock
from cifar_dsl.runs.places import lock_path, partial_path, removed_path
from cifar_dsl.runs.verification import damaged_files

_RESUMABLE = {Status.UNFINISHED, Status.FAILED}  # with a damaged checkpoint too: resuming skips it


@frozen
class Removal:
    """A removal: a whole run folder, or some of its checkpoints. `what` describes it."""

    entry: FoundRun
    what: str
    checkpoints: tuple[Path, ...] = ()

    def size(self) -> int:
        """The bytes that it frees."""
        return sum(path.stat().st_size for path in self.checkpoints) if self.checkpoints else self.entry.size()

    def remove(self) -> None:
        """Remove under the run's lock. Raises RunError if a process trains the run, or if the run has changed."""
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
                lock_path(entry.place).unlink(missing_ok=True)  # while locked: waiting processes create a new one
        except OSError as error:
            where = "" if error.filename in {None, str(entry.path)} else f" ({error.filename})"
            raise RunError(
                f"{entry.path} can't be removed: {error.strerror or error}{where}",
                f"check that you may write to {entry.place.parent}",
            ) from error
        finally:
            lock.release()
        with suppress(OSError):  # it still holds other runs
            entry.place.parent.rmdir()


@frozen
class Selection:
    """The runs to remove: those with one of `statuses`, and with `superseded`, old checkpoints of the others.

    `specs`, patterns of names, and `before`, the time of the last change, narrow the selection.
    """

    statuses: frozenset[Status]
    superseded: bool = False
    specs: tuple[str, ...] = ()
    before: datetime | None = None

    def removals(self, entries: Iterable[FoundRun]) -> Iterator[Removal]:
        """The removals among the entries."""
        for entry in entries:
            if entry.status in {Status.RUNNING, Status.NEWER} or not self._includes(entry):
                continue
            if entry.status in self.statuses:
                yield Removal(entry, entry.state)
            elif Status.DAMAGED in self.statuses and entry.status not in _RESUMABLE and damaged_files(entry):
                yield Removal(entry, Status.DAMAGED.value)
            elif self.superseded and (paths := tuple(_superseded(entry))):
                yield Removal(entry, f"{len(paths)} of its checkpoints", paths)

    def _includes(self, entry: FoundRun) -> bool:
        names = (entry.name, entry.place.parent.name)
        is_named = not self.specs or any(fnmatchcase(name, spec) for name in names for spec in self.specs)
        return is_named and (self.before is None or entry.changed() < self.before)


def _superseded(entry: FoundRun) -> Iterator[Path]:
    """The checkpoints of an unfinished run that resuming doesn't need: all but the latest valid one."""
    candidates = checkpoints(entry.path)
    latest = next((each for each in candidates if each.content() is not None), None)
    return (each.path for each in candidates if latest and each != latest)


def _remove_folder(entry: FoundRun) -> None:
    """Rename the folder first: a folder with the name of a run is always complete."""
    removed = removed_path(entry.place)
    if entry.path != removed:
        if removed.exists():
            remove_folder(removed)
        entry.path.rename(removed)
    remove_folder(removed)
