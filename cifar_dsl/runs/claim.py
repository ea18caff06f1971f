"""Claims a training for one process, whatever name its run has.

Equivalent specs of two names are one training. So the lock is that of a fingerprint and a seed, and a run is continued
under the name with which it started.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cifar_dsl.foundation.errors import LockedError, RunError
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.runs.file_errors import explain_write_errors
from cifar_dsl.runs.folder import Run
from cifar_dsl.runs.identity import RunIdentity
from cifar_dsl.runs.lock import RunLock, locked
from cifar_dsl.runs.places import PARTIAL, partial_path, run_name, run_path, training_lock_path
from cifar_dsl.runs.writer import RunWriter


def claim(
    root: Path,
    identity: RunIdentity,
    *,
    keep: int = 2,
    restart: bool = False,
    wait: bool = False,
    wants_stop: Callable[[], bool] = lambda: False,
) -> RunWriter:
    """Lock a training below `root`, and return the acquired writer of its run, which keeps `keep` checkpoints.

    An interrupted run of an equivalent spec is continued in its place, unless with `restart`. Raises LockedError if
    another process trains it, or waits; see `RunWriter.acquire`.
    """
    own = run_path(root, identity.spec, identity.seed)
    path = training_lock_path(root, identity)
    lock = RunLock(own, path, is_temporary=True)
    try:
        with explain_write_errors(path):
            lock.acquire(wait=wait, wants_stop=wants_stop)
    except LockedError:
        raise locked(place_of(root, identity)) from None
    writer = RunWriter(own if restart else place_of(root, identity), keep=keep, training_lock=lock)
    try:
        writer.acquire(wait=wait, wants_stop=wants_stop)
    except BaseException:
        writer.close()
        raise
    return writer


def on_changed_file(root: Path, identity: RunIdentity, path: str) -> Run | None:
    """The interrupted run of this name and seed whose training began when the array file `path` had other content."""
    for partial in sorted(root.glob(f"{identity.spec.name}-*/{run_name(identity.seed)}{PARTIAL}")):
        with suppress(RunError):
            recorded = Run(partial).record().data
            if recorded.path == path and recorded.digest != identity.data_digest and checkpoints(partial):
                return Run(partial)
    return None


def place_of(root: Path, identity: RunIdentity) -> Path:
    """The place for the run of a training: that of its interrupted run of another name, or else that of its own."""
    own = run_path(root, identity.spec, identity.seed)
    if own.exists() or partial_path(own).exists():
        return own
    for partial in sorted(root.glob(f"*-{identity.spec.fingerprint}/{run_name(identity.seed)}{PARTIAL}")):
        with suppress(RunError):  # a newer version wrote it
            if Run(partial).is_of(identity):
                return partial.with_suffix("")
    return own
