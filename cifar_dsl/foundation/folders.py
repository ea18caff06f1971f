"""Folders of any depth: found, made and removed without recursion, which a stranger's folders would exhaust."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path


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
        subfolders: list[str] = []
        files: list[str] = []
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    (subfolders if _is_folder(entry) else files).append(entry.name)
        except OSError as error:
            if on_error is not None:
                on_error(error)
            continue
        yield place, subfolders, files
        below = (place / name for name in reversed(subfolders))
        waiting += [path for path in below if not path.is_symlink()]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return entry.is_dir()
    return False


def make_folder(path: Path) -> None:
    """Make a folder and its parents, unless they exist. Raises OSError."""
    missing = [path, *takewhile(lambda parent: not parent.exists(), path.parents)]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)


def remove_folder(path: Path, *, ignore_errors: bool = False) -> None:
    """Remove a folder with everything in it. Raises OSError, also for folders nested too deep for Python below 3.13."""
    try:
        shutil.rmtree(path, ignore_errors=ignore_errors)
    except RecursionError:
        if not ignore_errors:
            raise OSError(errno.ENAMETOOLONG, "it holds folders that are nested too deep", str(path)) from None
