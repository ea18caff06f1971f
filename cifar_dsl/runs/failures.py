"""What is noted of a training that failed."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.runs.folder import Run
from cifar_dsl.runs.lock import RunLock
from cifar_dsl.runs.places import FAILURE, partial_path
from cifar_dsl.runs.records import Failure, to_json


def note_failure(place: Path, digest: str, message: str, help_: Sequence[str] = ()) -> None:
    """Note beside what there is of a run why its training, on the images with this digest, failed.

    The note goes when the training goes on. Nothing is noted where nothing is there, where another process trains the
    run, or where the disk takes no more: then the run counts as one that was broken off.
    """
    run = Run(partial_path(place))
    if not run.path.is_dir():
        return
    lock = RunLock(place)
    with suppress(RunError, OSError):
        lock.acquire()
        if run.record().data.digest == digest:
            failure = Failure(datetime.now(UTC).isoformat(timespec="seconds"), message, tuple(help_))
            write_atomically(run.path / FAILURE, to_json(failure))
    lock.release()
