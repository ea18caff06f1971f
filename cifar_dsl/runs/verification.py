"""Whether the files of a run are those that were written, to the last bit."""

from collections.abc import Iterator

from cifar_dsl.runs.catalogue import FoundRun, Status
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.runs.digests import file_digest, read_sums
from cifar_dsl.runs.folder import Run
from cifar_dsl.runs.places import BEST, SUMS, WEIGHTS
from cifar_dsl.runs.records import SCHEMA_WITH_SUMS


def problems(entry: FoundRun) -> list[str]:
    """What is damaged; nothing of a run that is whole, that was broken off cleanly, or that a process trains now."""
    if entry.problem:
        return [entry.problem]
    match entry.status:
        case Status.COMPLETE | Status.DIVERGED:
            return list(_of_files(Run(entry.path)))
        case Status.UNFINISHED | Status.FAILED:
            damaged = (one.path for one in checkpoints(entry.path) if one.content() is None)
            return [f"{path} is not the file that was written" for path in damaged]
        case _:
            return []


def _of_files(run: Run) -> Iterator[str]:
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
    """What the files of a run are to be held against; of one made before SHA256SUMS was, what else is known.

    Raises OSError, ValueError.
    """
    result, sums = run.result(), run.path / SUMS
    if sums.exists() or run.record().schema >= SCHEMA_WITH_SUMS:
        return read_sums(sums, result)
    digests = {WEIGHTS: result.weights_digest} if result.weights_digest else {}
    return digests | ({BEST: result.best.weights_digest} if result.best else {})
