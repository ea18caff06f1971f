"""Atomic file writes."""

import os
import shutil
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the content of a file completely or not at all, even if the power fails.

    An existing file keeps its mode. If `path` is a link, its target is written. Raises OSError with a file name.
    """
    given, path = path, path.resolve()
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if error.filename is None:  # as of a write on a full disk
            error.filename = str(given)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Flush the entries of a folder to disk. Does nothing on systems other than POSIX."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
