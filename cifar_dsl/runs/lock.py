"""One process trains a run: a lock that the system lets go when the process ends, however it ends."""

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from attrs import define, field
from filelock import FileLock, Timeout

from cifar_dsl.foundation.errors import LockedError, StoppedError
from cifar_dsl.runs.places import HOLDER, lock_path, partial_path

_BETWEEN_LOOKS_S = 0.5
_GRACE_S = 0.3  # who looks whether a run is being trained holds its lock for a moment


@define
class RunLock:
    """The lock of the run in `place`. Who has it is said beside it: whoever tries to take a lock empties its file."""

    place: Path
    _lock: FileLock = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._lock = FileLock(lock_path(self.place), thread_local=False)

    def acquire(self, *, wait: bool = False, wants_stop: Callable[[], bool] = lambda: False) -> None:
        """Take the lock. Raises LockedError, which names the process that has it, unless this is to `wait` for it.

        Raises StoppedError where somebody `wants_stop` before it is free.
        """
        while True:
            lock_path(self.place).parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=_GRACE_S, poll_interval=_GRACE_S / 6)
            except FileNotFoundError:  # the folder has just been removed, with the last run in it
                continue
            except Timeout:
                if not wait:
                    raise LockedError(
                        f"{self.place} is being trained by {holder(self.place)}",
                        "wait for it (--wait does), or use another --runs",
                    ) from None
                if wants_stop():
                    raise StoppedError from None
                time.sleep(_BETWEEN_LOOKS_S)
            else:
                break

    def sign(self) -> None:
        """Say in the run's folder who trains it."""
        holder = {"process": os.getpid(), "host": socket.gethostname()}
        (partial_path(self.place) / HOLDER).write_text(json.dumps(holder) + "\n", encoding="utf-8")

    def release(self) -> None:
        """Let it go."""
        self._lock.release()


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
    except OSError:  # where nothing can be written, nothing is trained
        return False
    lock.release()
    return False


def holder(place: Path) -> str:
    """Who trains the run of `place`, in words."""
    try:
        signed = json.loads((partial_path(place) / HOLDER).read_text(encoding="utf-8"))
        return f"process {int(signed['process'])} on {signed['host']!s:.100}"
    except (OSError, ValueError, KeyError, TypeError):  # it is just being written
        return "another process"
