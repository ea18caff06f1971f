"""The lock of a run in training. The system releases it when the process ends, even in a crash."""

import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from attrs import Factory
from filelock import FileLock, Timeout

from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.errors import LockedError, StoppedError
from cifar_dsl.foundation.folders import make_folder
from cifar_dsl.foundation.reading import read_regular
from cifar_dsl.foundation.records import define, field
from cifar_dsl.runs.places import HOLDER, lock_path, partial_path

_LARGEST_HOLDER = 4096  # bytes of the file that names the holder
_RETRY_S = 0.5
_GRACE_S = 0.3  # `is_locked` in another process holds the lock for a moment


@define
class RunLock:
    """The lock of the run in `place`: the file at `path`, which `release` removes if it `is_temporary`.

    A file in the partial run names the holder, because an attempt to acquire a lock empties the lock file.
    """

    place: Path
    path: Path = field(default=Factory(lambda self: lock_path(self.place), takes_self=True))
    is_temporary: bool = False
    _lock: FileLock = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._lock = FileLock(self.path, thread_local=False)

    def acquire(self, *, wait: bool = False, wants_stop: Callable[[], bool] = lambda: False) -> None:
        """Acquire the lock. Raises LockedError, which names the holder, if another process has it; or `wait` for it.

        Raises StoppedError if `wants_stop` returns true during the wait.
        """
        while True:
            make_folder(self.path.parent)
            try:
                self._lock.acquire(timeout=_GRACE_S, poll_interval=_GRACE_S / 6)
            except FileNotFoundError:  # another process just removed the empty folder
                continue
            except Timeout:
                if not wait:
                    raise locked(self.place) from None
                if wants_stop():
                    raise StoppedError from None
                time.sleep(_RETRY_S)
            else:
                break

    def record_holder(self) -> None:
        """Write the holder into the partial run."""
        holder = {"process": os.getpid(), "host": socket.gethostname()}
        write_atomically(partial_path(self.place) / HOLDER, (json.dumps(holder) + "\n").encode())

    def release(self) -> None:
        """Release the lock, if this process has it."""
        if self.is_temporary and self._lock.is_locked:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)  # while locked: waiting processes create a new one
        self._lock.release()


def locked(place: Path) -> LockedError:
    """The error for a run that another process trains."""
    return LockedError(
        f"{place} is being trained by {holder(place)}", "wait for it with --wait, or use another folder with --runs"
    )


def is_locked(place: Path) -> bool:
    """Whether a process trains the run of `place`."""
    path = lock_path(place)
    if not path.exists():
        return False
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # the folder is read-only, so no process trains here
        return False
    lock.release()
    return False


def holder(place: Path) -> str:
    """The process that trains the run of `place`, in words."""
    try:
        fields = json.loads(read_regular(partial_path(place) / HOLDER, _LARGEST_HOLDER))
        return f"process {int(fields['process'])} on {fields['host']!s:.100}"
    except (OSError, ValueError, KeyError, TypeError):  # the file is incomplete
        return "another process"
