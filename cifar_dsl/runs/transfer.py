"""A run's folder as bytes: a run that is computed on another machine comes into its place on this one."""

from collections.abc import Collection
from pathlib import Path, PurePosixPath

from attrs import frozen

from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.runs.places import HOLDER, RESULT
from cifar_dsl.runs.records import RunError


@frozen
class Parcel:
    """What changed in a folder: the `files` that are new or written anew, by their paths, and all that is `there`."""

    files: dict[str, bytes]
    there: tuple[str, ...]


Stamps = dict[str, tuple[int, int]]  # of a folder's files: when they were written (ns), and their sizes


def pack(folder: Path, known: Stamps) -> Parcel:
    """The parcel of a folder that nobody writes meanwhile; `known` is what was sent before, and is brought up to date.

    Who trains the run, and the result, which makes it complete, are left out.
    """
    files: dict[str, bytes] = {}
    there: list[str] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or path.suffix == ".tmp" or name in {HOLDER, RESULT}:
            continue
        status = path.stat()
        there.append(name)
        if known.get(name) != (stamp := (status.st_mtime_ns, status.st_size)):
            files[name] = path.read_bytes()
            known[name] = stamp
    return Parcel(files, tuple(there))


def unpack(parcel: Parcel, folder: Path, *, keep: bool = False) -> None:
    """Bring a folder to where the sender's is: what is new is whole on disk before anything goes.

    With `keep` nothing goes.

    Raises RunError for a name that leads out of the folder; OSError.
    """
    for name in (*parcel.files, *parcel.there):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise RunError(f"{name!r} is no name of a run's file")
    for name, content in parcel.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, content)
    if not keep:
        _remove_others(folder, {*parcel.there, HOLDER, RESULT})


def _remove_others(folder: Path, there: Collection[str]) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in there:
            path.unlink()
