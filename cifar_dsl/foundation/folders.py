"""Folders of any depth: found, made and removed without recursion, which a stranger's folders would exhaust."""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path

from cifar_dsl.foundation.atomic import sync_folder, write_atomically


def walk(
    folder: Path, on_error: Callable[[OSError], None] | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """`folder` and each folder below it, with the names of its subfolders and files; links to folders aren't followed.

    As with `os.walk`, which recurses before Python 3.12, the caller may sort the subfolders, or remove those not to be
    searched. `on_error` receives the error of each folder that can't be read.
    """
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            found, others = _entries(place)
        except OSError as error:
            if on_error is not None:
                on_error(error)
            continue
        subfolders = [entry.name for entry in found]
        yield place, subfolders, [entry.name for entry in others]
        below = (place / name for name in reversed(subfolders))
        waiting += [path for path in below if not path.is_symlink()]


def files_below(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The path and status of each file below `folder`, those that disappear meanwhile left out; like `walk`, otherwise.

    For lists of thousands of runs, paths are texts, because a Path takes longer than asking for the status.
    """
    waiting = [os.fspath(folder)]
    while waiting:
        try:
            subfolders, files = _entries(waiting.pop())
        except OSError:
            continue
        waiting += [entry.path for entry in subfolders if not entry.is_symlink()]
        for entry in files:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            yield entry.path, status


def _entries(place: Path | str) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
    """The folders in a folder, links to folders included, and its other entries. Raises OSError."""
    subfolders: list[os.DirEntry[str]] = []
    others: list[os.DirEntry[str]] = []
    with os.scandir(place) as entries:
        for entry in entries:
            (subfolders if _is_folder(entry) else others).append(entry)
    return subfolders, others


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def make_folder(path: Path) -> None:
    """Make a folder and its parents, unless they exist. Raises OSError."""
    missing = [path, *takewhile(lambda parent: not parent.exists(), path.parents)]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)


def write_folder(place: Path, files: Mapping[str, bytes], check: Callable[[Path], None] = lambda _: None) -> None:
    """Write a new folder with these files, by name, completely or not at all.

    `check` gets the folder that was written beside its place; if it raises an exception, nothing stays. Raises OSError,
    also if there is something else than an empty folder at `place`.
    """
    if place.is_symlink() or (place.exists() and (not place.is_dir() or any(place.iterdir()))):
        raise FileExistsError(errno.EEXIST, "it exists already", str(place))
    if not place.parent.exists():
        make_folder(place.parent)
    temporary = place.with_name(f"{place.name}.{os.getpid()}.tmp")
    remove_folder(temporary, ignore_errors=True)  # of a process that was killed
    try:
        temporary.mkdir()
        for name, content in files.items():
            write_atomically(temporary / name, content)
        check(temporary)
        sync_folder(temporary)
        temporary.replace(place)
        try:
            sync_folder(place.parent)
        except OSError:
            remove_folder(place, ignore_errors=True)
            raise
    except OSError as error:
        error.filename = str(place)  # not the temporary folder's, which nobody knows
        raise
    finally:
        remove_folder(temporary, ignore_errors=True)


def remove_folder(path: Path, *, ignore_errors: bool = False) -> None:
    """Remove a folder with everything in it. Raises OSError, also for folders nested too deep for Python below 3.13."""
    import shutil  # with its archives, too slow for `check` to import

    try:
        shutil.rmtree(path, ignore_errors=ignore_errors)
    except RecursionError:
        if not ignore_errors:
            raise OSError(errno.ENAMETOOLONG, "it holds folders that are nested too deep", str(path)) from None
