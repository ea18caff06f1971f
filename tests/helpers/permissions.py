"""A folder that this process may only read, even if the superuser runs the tests."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VERSION_3 = 0x20080522
_IGNORES_PERMISSIONS = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of capabilities(7)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let this thread write no file to the folder in this context; existing files and subfolders stay as they are."""
    mode = folder.stat().st_mode
    folder.chmod(0o555)
    try:
        with _bound_by_permissions():
            yield
    finally:
        folder.chmod(mode)


@contextmanager
def _bound_by_permissions() -> Iterator[None]:
    """Give up the superuser's right to ignore permissions, in this thread and those that it starts."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, twice
    assert libc.capget(header, sets) == 0
    before = sets[0]
    sets[0] &= ~_IGNORES_PERMISSIONS
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = before
        assert libc.capset(header, sets) == 0
