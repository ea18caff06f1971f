"""Copies a run folder between machines as deltas: the files that changed since the last delta."""

from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.folders import make_folder, walk
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs.places import HOLDER, RESULT


@frozen
class FolderDelta:
    """The changes in a folder: the content of `changed` files, and the names of `all_files`, as paths inside it."""

    changed: dict[str, bytes]
    all_files: tuple[str, ...]


Stamps = dict[str, tuple[int, int]]  # of files by name: time of the last change (ns), and size (bytes)


def take_delta(folder: Path, sent: Stamps) -> FolderDelta:
    """The changes in a folder since earlier deltas. `sent` holds the stamps of the files sent so far, and is updated.

    No process may write to the folder meanwhile. The delta omits the file that names the training process, and the
    result, which makes a run complete.
    """
    changed: dict[str, bytes] = {}
    names: list[str] = []
    for path in sorted(_files(folder)):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".tmp" or name in {HOLDER, RESULT}:
            continue
        status = path.stat()
        names.append(name)
        if sent.get(name) != (stamp := (status.st_mtime_ns, status.st_size)):
            changed[name] = path.read_bytes()
            sent[name] = stamp
    return FolderDelta(changed, tuple(names))


def apply_delta(delta: FolderDelta, folder: Path, *, keep: bool = False) -> None:
    """Make a folder equal to the sender's. Changed files are complete on disk before others are removed.

    With `keep`, no files are removed. Raises RunError for a name that leads out of the folder, or that of the result,
    and OSError.
    """
    for name in (*delta.changed, *delta.all_files):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or name == RESULT:
            raise RunError(f"{name!r} is not the name of a run's file")
    for name, content in delta.changed.items():
        make_folder((folder / name).parent)
        write_atomically(folder / name, content)
    if not keep:
        _remove_others(folder, {*delta.all_files, HOLDER, RESULT})


def _remove_others(folder: Path, kept: Collection[str]) -> None:
    for path in list(_files(folder)):
        if path.relative_to(folder).as_posix() not in kept:
            path.unlink()


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder."""
    paths = (above / name for above, _, names in walk(folder) for name in names)
    return (path for path in paths if path.is_file())
