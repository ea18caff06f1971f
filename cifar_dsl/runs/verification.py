"""Verifies that runs lie where they belong, and their files against their digests."""

from collections.abc import Iterator

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.runs.catalogue import FoundRun, Status
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.runs.file_errors import without_weights
from cifar_dsl.runs.folder import Run, check_place
from cifar_dsl.runs.sums import SmallFiles, damage, recorded_digests


def problems(entry: FoundRun, *, needs_weights: bool = True) -> list[str]:
    """What is wrong with a run: damage, one message per file, and a place where it doesn't belong.

    A running run is not checked. Without `needs_weights`, a run whose weights aren't there is in order.
    """
    found = damaged_files(entry)
    if needs_weights and entry.status is Status.WITHOUT_WEIGHTS:
        found.append(without_weights(Run(entry.path).weights).message)
    if not entry.problem and entry.record is not None and entry.status != Status.RUNNING:
        try:
            check_place(entry.place, entry.record)
        except RunError as error:
            found.append(error.message)
    return found


def damaged_files(entry: FoundRun) -> list[str]:
    """The damage of a run, one message per file. A running run, and weights of a run without, are not checked."""
    if entry.problem:
        return [entry.problem]
    match entry.status:
        case Status.COMPLETE | Status.DIVERGED | Status.WITHOUT_WEIGHTS:
            has_weights = entry.status is not Status.WITHOUT_WEIGHTS
            return list(_damage_of_complete(Run(entry.path), has_weights=has_weights))
        case Status.UNFINISHED | Status.FAILED:
            damaged = (each.path for each in checkpoints(entry.path) if each.content() is None)
            return [f"{path} is not the file that was written" for path in damaged]
        case _:
            return []


def _damage_of_complete(run: Run, *, has_weights: bool) -> Iterator[str]:
    try:
        files = SmallFiles(run.path)
        digests = recorded_digests(files, run.record(), run.unverified_result())
    except RunError as error:
        yield error.message
    else:
        yield from (error.message for error in damage(files, digests, weights=has_weights))
