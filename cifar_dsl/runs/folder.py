"""Complete runs: where they lie, and what can be read from them."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import cattrs

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs.lock import is_locked
from cifar_dsl.runs.places import (
    FAILURE,
    FOLDER,
    METRICS,
    PLACE,
    RECORD,
    RESULT,
    SPEC,
    WEIGHTS,
    partial_path,
    replaced_path,
)
from cifar_dsl.runs.records import (
    EpochMetrics,
    Failure,
    RunRecord,
    RunResult,
    damaged,
    from_json,
    read_record,
    read_text,
)


@frozen
class Run:
    """A complete run."""

    path: Path

    @property
    def spec_text(self) -> str:
        """The resolved spec. Raises RunError."""
        try:
            return read_text(self.path / SPEC)
        except ValueError as error:
            raise damaged(self.path / SPEC) from error

    @property
    def weights(self) -> Path:
        """The file of weights."""
        return self.path / WEIGHTS

    def record(self) -> RunRecord:
        """What was known at the start. Raises RunError."""
        return read_record(self.path / RECORD, RunRecord)

    def result(self) -> RunResult:
        """What came out. Raises RunError."""
        return read_record(self.path / RESULT, RunResult)

    def failure(self) -> Failure | None:
        """Why its training failed the last time, if it did. Raises RunError."""
        path = self.path / FAILURE
        return read_record(path, Failure) if path.exists() else None

    def metrics(self) -> list[EpochMetrics]:
        """Epoch by epoch. Raises RunError."""
        path = self.path / METRICS
        try:
            return [from_json(line, EpochMetrics) for line in read_text(path).splitlines()]
        except (ValueError, cattrs.BaseValidationError) as error:
            raise damaged(path) from error


def open_partial(path: Path) -> Run:
    """The run in `path`, or beside it while it is not complete; what was broken off can be gone on with.

    Raises RunError.
    """
    whole = path.absolute()  # `.` has no name
    place = whole.with_suffix("") if whole.suffix == ".partial" else whole
    for folder in (partial_path(place), place):
        if (folder / RECORD).is_file():
            return Run(folder)
    raise RunError(
        f"{path} is not a run",
        "a run that was broken off is a folder such as runs/baseline-0123456789ab/seed-0.partial",
    )


def open_run(path: Path) -> Run:
    """The run in the folder `path`, which may also be the only run below it. Raises RunError."""
    restore(path)
    if (path / RESULT).is_file():
        return Run(path)
    below = list(complete_runs(path)) if path.is_dir() else []
    if len(below) == 1:
        return below[0]
    if below:
        names = ", ".join(str(run.path) for run in below[:4])
        raise RunError(
            f"{path} holds {len(below)} runs", f"name one of them: {names}{', ...' if len(below) > 4 else ''}"
        )
    raise RunError(f"{path} is not a run", "a run is a folder such as runs/baseline-0123456789ab/seed-0")


def find_runs(root: Path, fingerprint: str) -> list[Run]:
    """All complete runs of a fingerprint below `root`, by seed, then by path."""
    found = [run for folder in root.glob(f"*-{fingerprint}") if folder.is_dir() for run in complete_runs(folder)]
    return sorted(found, key=lambda run: (run.record().seed, run.path))


def failed_runs(root: Path, fingerprint: str) -> list[Run]:
    """The runs of a fingerprint below `root` whose training failed, by path; what there is of them can be read."""
    found = []
    for path in sorted(root.glob(f"*-{fingerprint}/**/seed-*.partial/{FAILURE}")):
        if not FOLDER.fullmatch(path.parent.name):
            continue
        run = Run(path.parent)
        with suppress(RunError):  # without a record, nobody knows of what it was
            run.record()
            found.append(run)
    return found


def restore(place: Path, *, is_ours: bool = False) -> None:
    """Put a run back that a crash in the midst of replacing it left beside its place.

    A process that trains the run is left to do so, unless `is_ours`.
    """
    if place.exists() or not (replaced_path(place) / RESULT).is_file() or (not is_ours and is_locked(place)):
        return
    with suppress(OSError):  # it has just been done, or the folder can only be read
        replaced_path(place).rename(place)


def complete_runs(folder: Path) -> Iterator[Run]:
    """The complete runs below a folder, by path."""
    for replaced in [path for path in folder.glob("**/seed-*.replaced") if FOLDER.fullmatch(path.name)]:
        restore(replaced.with_suffix(""))
    for result in sorted(folder.glob(f"**/seed-*/{RESULT}")):
        if PLACE.fullmatch(result.parent.name):
            yield Run(result.parent)
