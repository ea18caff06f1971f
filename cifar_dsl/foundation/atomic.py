"""Atomic file writes, and whether a folder can be written."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO

_PROBE = bytes(4096)  # a block of most file systems


def is_full(error: OSError) -> bool:
    """Whether a write failed because the disk is full, or because the user's share of it is."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


def check_writable(folder: Path) -> Path:
    """Raise OSError, which names the folder, unless files can be written to it, or else to its nearest existing parent.

    Returns the existing folder. Creates no folder, and leaves no file.
    """
    import tempfile  # takes a few milliseconds, which `check` doesn't spend

    try:
        existing = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(_PROBE)
    except OSError as error:
        error.filename = str(folder)
        raise
    return existing


def check_place(path: Path) -> None:
    """Raise OSError, which names the file, unless it can be written: its folder exists and is writable."""
    if not path.parent.exists():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {path.parent}", str(path))
    if not path.parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    check_writable(path.parent)


def write_atomically(path: Path, content: bytes, *, follow: bool = False) -> None:
    """Replace the content of a file completely or not at all, even if the power fails.

    An existing file keeps its mode. If `path` is a link, it is replaced; with `follow`, its target is written. A device
    or a pipe, such as /dev/null, gets the content, and stays what it is. Raises OSError with a file name.
    """
    given, path = path, path.resolve() if follow else path
    try:
        if _is_stream(path):
            with path.open("wb") as stream:
                stream.write(content)
            return
        # The second name where another process writes the same file at the same time, and removes our first one.
        names = (f"{path.name}.tmp", f"{path.name}.{os.getpid()}.tmp")
        if not any(_replace(path, path.with_name(name), content) for name in names):
            raise OSError(errno.EBUSY, "another process is writing it", str(path))
        sync_folder(path.parent)
    except OSError as error:
        error.filename = str(given)  # not the temporary file's, which nobody knows
        raise


def _is_stream(path: Path) -> bool:
    """Whether `path` itself is a device or a pipe."""
    try:
        mode = path.lstat().st_mode
    except OSError:  # the write will say why
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def _replace(path: Path, temporary: Path, content: bytes) -> bool:
    """Replace a file through a temporary one. Returns False if another process took the temporary one's name."""
    temporary.unlink(missing_ok=True)  # of a process that was killed, or a stranger's link to another file
    try:
        file = temporary.open("xb")
    except FileExistsError:
        return False
    with file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if path.exists() and not path.is_symlink():
                os.chmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))  # noqa: PTH101  a number
            if is_ours := _is_open(temporary, file):
                temporary.replace(path)
        except BaseException:
            with suppress(OSError):  # on a disk that can only be read
                if _is_open(temporary, file):
                    temporary.unlink()
            raise
    return is_ours


def _is_open(path: Path, file: IO[bytes]) -> bool:
    """Whether the file at `path` is this one."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def sync_folder(path: Path) -> None:
    """Flush the entries of a folder to disk. Does nothing on systems other than POSIX."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
