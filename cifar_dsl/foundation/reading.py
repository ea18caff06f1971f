"""The door for files that a stranger may have written: only regular files, of bounded size.

Opening a FIFO waits for a writer, and reading a device never ends. Whoever reads a file that isn't this package's own
opens it here.
"""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


class IrregularFileError(OSError):
    """The path is a folder, FIFO, device or socket. `strerror` says which."""


class OversizedFileError(OSError):
    """The file has more bytes than it may have."""


_PART = 1 << 20  # bytes of a file that is longer than its size, read at once
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)


def open_regular(path: Path, most: int | None = None) -> BufferedReader:
    """Open a regular file of at most `most` bytes for reading; a link to one counts. Never blocks.

    Raises:
        IrregularFileError: It is something else.
        OversizedFileError: It is larger. It may grow later: `read_regular` bounds what is read, too.
        OSError: It can't be opened.
    """
    _check(path, path.stat(), most)  # before opening, which can have effects on a device
    file = open(path, "rb", opener=lambda name, _: os.open(name, _FLAGS))  # noqa: SIM115  the caller closes it
    try:
        _check(path, os.fstat(file.fileno()), most)  # another file may have taken its place
    except OSError:
        file.close()
        raise
    return file


def read_regular(path: Path | str, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes. Raises the errors of `open_regular`.

    A list of runs reads tens of thousands of small files: without a buffer, each takes a tenth of the time.
    """
    _check(path, os.stat(path), most)  # noqa: PTH116  a Path takes longer than the call
    file = os.open(path, _FLAGS)
    try:
        status = os.fstat(file)
        _check(path, status, most)
        parts = [os.read(file, status.st_size + 1)]
        if len(parts[0]) == status.st_size > 0:  # its end is reached
            return parts[0]
        left = most - len(parts[0])
        while parts[-1] and left >= 0:  # a file can grow meanwhile, and those of /proc have no size
            parts.append(os.read(file, min(left, _PART) + 1))
            left -= len(parts[-1])
    finally:
        os.close(file)
    if left < 0:
        raise _oversized(path, most)
    return b"".join(parts)


def _check(path: Path | str, status: os.stat_result, most: int | None) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IrregularFileError(errno.EISDIR, "a folder", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise IrregularFileError(errno.EINVAL, "not a regular file", str(path))
    if most is not None and status.st_size > most:
        raise _oversized(path, most)


def _oversized(path: Path | str, most: int) -> OversizedFileError:
    return OversizedFileError(errno.EFBIG, f"larger than {most:,} bytes", str(path))
