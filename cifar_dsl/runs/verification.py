"""Verifies the files of runs against their digests."""

from collections.abc import Iterator

from cifar_dsl.runs.catalogue import FoundRun, Status
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.runs.folder import Run
from cifar_dsl.runs.places import BEST, SUMS, WEIGHTS
from cifar_dsl.runs.records import SCHEMA_WITH_SUMS
from cifar_dsl.runs.sums import file_digest, read_sums


def problems(entry: FoundRun) -> list[str]:
    """The damage of a run, one message per file. A running run is not checked."""
    if entry.problem:
        return [entry.problem]
    match entry.status:
        case Status.COMPLETE | Status.DIVERGED:
            return list(_damaged_files(Run(entry.path)))
        case Status.UNFINISHED | Status.FAILED:
            damaged = (each.path for each in checkpoints(entry.path) if each.content() is None)
            return [f"{path} is not the file that was written" for path in damaged]
        case _:
            return []


def _damaged_files(run: Run) -> Iterator[str]:
    sums = run.path / SUMS
    try:
        digests = _digests(run)
    except OSError as error:
        yield f"{sums} can't be read: {error.strerror}"
        return
    except ValueError:
        yield f"{sums} is damaged"
        return
    for name, digest in digests.items():
        path = run.path / name
        try:
            is_same = file_digest(path) == digest
        except OSError as error:
            yield f"{path} can't be read: {error.strerror}"
        else:
            if not is_same:
                yield f"{path} is not the file that was written"


def _digests(run: Run) -> dict[str, str]:
    """The expected digests of a run's files. Older runs, without SHA256SUMS, have only those of the weights.

    Raises OSError, ValueError.
    """
    result, sums = run.result(), run.path / SUMS
    if sums.exists() or run.record().schema >= SCHEMA_WITH_SUMS:
        return read_sums(sums, result)
    digests = {WEIGHTS: result.weights_digest} if result.weights_digest else {}
    return digests | ({BEST: result.best.weights_digest} if result.best else {})
