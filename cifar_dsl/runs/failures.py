"""Records why a training failed."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.runs.folder import Run, check_no_links
from cifar_dsl.runs.lock import RunLock
from cifar_dsl.runs.places import FAILURE, partial_path
from cifar_dsl.runs.record_json import to_json
from cifar_dsl.runs.records import Failure


def record_failure(place: Path, digest: str, message: str, help_: Sequence[str] = ()) -> None:
    """Write to a partial run why its training, on the dataset with this digest, failed.

    Resuming the run removes the file. Without a partial run, while another process trains it, where a folder is a link,
    or on a full disk, this writes nothing, and the run counts as interrupted.
    """
    run = Run(partial_path(place))
    if not run.path.is_dir():
        return
    lock = RunLock(place)
    with suppress(RunError, OSError):
        check_no_links(place)
        lock.acquire()
        if run.record().data.digest == digest:
            failure = Failure(datetime.now(UTC).isoformat(timespec="seconds"), message, tuple(help_))
            write_atomically(run.path / FAILURE, to_json(failure))
    lock.release()
