"""Complete runs: finding and reading them."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cifar_dsl.compiler import Analysis, analyze_text
from cifar_dsl.foundation.errors import NewerRunError, RunError
from cifar_dsl.foundation.folders import walk
from cifar_dsl.foundation.reading import open_regular
from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.foundation.text import natural_order
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.runs.file_errors import changed, damaged
from cifar_dsl.runs.identity import RunIdentity
from cifar_dsl.runs.lock import is_locked
from cifar_dsl.runs.places import (
    CHECKPOINTS,
    FAILURE,
    FOLDER,
    METRICS,
    PARTIAL,
    PLACE,
    PLACE_OF_SPEC,
    RECORD,
    REPLACED,
    RESULT,
    SPEC,
    WEIGHTS,
    WHITENING,
    partial_path,
    replaced_path,
    run_name,
)
from cifar_dsl.runs.record_json import read_record, read_text, record_of, records_of
from cifar_dsl.runs.records import EpochMetrics, Failure, RunRecord, RunResult
from cifar_dsl.runs.sums import SmallFiles, damage, recorded_digests


def _as_path(path: Path | str) -> Path:
    return path if isinstance(path, Path) else Path(path)  # Path(path) parses a path again


@frozen
class Run:
    """A run folder. `result` exists only in a complete one. Raises NewerRunError where a newer version wrote it."""

    path: Path = field(converter=_as_path)

    @property
    def spec_text(self) -> str:
        """The resolved spec. Raises RunError."""
        try:
            return read_text(self.path / SPEC)
        except ValueError as error:
            raise damaged(self.path / SPEC) from error

    @property
    def weights(self) -> Path:
        """The path of the weights."""
        return self.path / WEIGHTS

    def whitening_content(self) -> bytes | None:
        """The file of the whitening; None if there is none, or not the recorded one. Raises RunError."""
        try:
            with open_regular(self.path / WHITENING) as file:
                content = file.read()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == self.record().whitening else None

    def record(self) -> RunRecord:
        """The record, written at the start. Raises RunError."""
        return read_record(f"{self.path}{os.sep}{RECORD}", RunRecord)

    def is_of(self, identity: RunIdentity) -> bool:
        """Whether it is a run of this training; False if its record is damaged. Raises NewerRunError."""
        try:
            return self.record().identity.is_same_training(identity)
        except NewerRunError:
            raise
        except RunError:
            return False

    def result(self) -> RunResult:
        """The result, written at the end, of a run whose small files are those that were written. Raises RunError.

        Everything that uses a result reads it here. Where the run was found by its place, `check_place` holds that it
        belongs there; `verification` also reads the weights.
        """
        return self.complete().result

    def complete(self) -> "CompleteRun":
        """The record and the result, with the files that they were verified with; see `result`. Raises RunError."""
        files = SmallFiles(self.path)
        record = record_of(files.content(RECORD), self.path / RECORD, RunRecord)
        result = record_of(files.content(RESULT), self.path / RESULT, RunResult)
        for error in damage(files, recorded_digests(files, record, result), weights=False):
            raise error
        return CompleteRun(self, record, result, files)

    def unverified_result(self) -> RunResult:
        """The result as `result.json` has it, for lists of runs. Raises RunError."""
        return read_record(f"{self.path}{os.sep}{RESULT}", RunResult)

    def analysis(self) -> Analysis:
        """The network and recipe of the run's spec, which are those that were trained. Raises RunError, SpecError."""
        record = self.record()
        try:
            analysis = analyze_text(self.spec_text, str(self.path / SPEC))
        except SpecError as error:
            if self._is_changed(SPEC):
                raise changed(self.path / SPEC) from error
            raise
        if analysis.fingerprint != record.spec.fingerprint:
            raise RunError(
                f"{self.path / SPEC} is not the spec that was trained: its fingerprint is {analysis.fingerprint}, not "
                f"{record.spec.fingerprint}",
                "if `cifar-dsl runs verify` finds no damage, use the version that trained the run: cifar_dsl "
                f"{record.environment.cifar_dsl}",
                f"otherwise remove the run's folder, {self.path}, and train the spec again",
            )
        return analysis

    def _is_changed(self, name: str) -> bool:
        """Whether a small file is known not to be the one that was written."""
        files = SmallFiles(self.path)
        with suppress(RunError):
            digests = recorded_digests(files, self.record(), self.unverified_result())
            return name in digests and hashlib.sha256(files.content(name)).hexdigest() != digests[name]
        return False

    def failure(self) -> Failure | None:
        """Why the last training failed, or None. Raises RunError."""
        path = self.path / FAILURE
        return read_record(path, Failure) if path.exists() else None

    def metrics(self) -> list[EpochMetrics]:
        """The metrics of each epoch. Raises RunError."""
        return _metrics(SmallFiles(self.path))


@frozen(eq=False)
class CompleteRun:
    """A complete run whose small files are those that were written, each read once."""

    run: Run
    record: RunRecord
    result: RunResult
    files: SmallFiles

    def metrics(self) -> list[EpochMetrics]:
        """The metrics of each epoch. Raises RunError."""
        return _metrics(self.files)


def _metrics(files: SmallFiles) -> list[EpochMetrics]:
    return records_of(files.content(METRICS), files.folder / METRICS, EpochMetrics)


def check_place(place: Path, record: RunRecord) -> None:
    """Raise RunError unless the run with this record belongs in `place`.

    Seed and fingerprint decide, not the spec's name: equivalent specs share their runs. Outside of folders named after
    a fingerprint, a run may lie anywhere.
    """
    above = (place if place.parent.name else place.absolute()).parents
    named = ((folder, match) for folder in above if (match := PLACE_OF_SPEC.fullmatch(folder.name)))
    for folder, match in named:
        if (match["fingerprint"], place.name) != (record.spec.fingerprint, run_name(record.seed)):
            own = folder.parent / record.identity.folder
            raise RunError(
                f"{place} holds another run: {record.spec.name} with fingerprint {record.spec.fingerprint} and seed "
                f"{record.seed}",
                f"remove it, as {own} exists" if own.exists() else f"move it to {own}, or remove it",
            )
        return


def check_no_links(place: Path) -> None:
    """Raise RunError if a folder that training the run of `place` writes to, moves or removes is a link.

    A stranger's link leads to a folder of somebody else.
    """
    partial = partial_path(place)
    for folder in (place.parent, place, replaced_path(place), partial, partial / CHECKPOINTS):
        if folder.is_symlink():
            raise RunError(
                f"{folder} is a link, and a run is written only to folders",
                "put the folder itself in place of the link, remove the link, or choose another folder with --runs",
            )


def open_partial(path: Path) -> Run:
    """The partial run of `path` to resume, or else the complete run there. Raises RunError.

    `path` is the place of the run, or the partial folder beside it.
    """
    absolute = path.absolute()  # `.` has no name
    place = absolute.with_suffix("") if absolute.suffix == PARTIAL else absolute
    for folder in (partial_path(place), place):
        if (folder / RECORD).is_file():
            return Run(folder)
    raise RunError(
        f"{path} is not a run",
        "an interrupted run is a folder such as runs/baseline-0123456789ab/seed-0.partial",
    )


def open_run(path: Path) -> Run:
    """The complete run at `path`, or the only complete run below it. Raises RunError."""
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
    raise RunError(
        f"{path} is not a run",
        "a run is a folder such as runs/baseline-0123456789ab/seed-0; `cifar-dsl runs` lists yours",
    )


def find_runs(root: Path, fingerprint: str) -> list[Run]:
    """The complete, undamaged runs of a fingerprint below `root`, by seed, then by path."""
    seeds: dict[Run, int] = {}
    for run in runs_in_place(root, fingerprint):
        with suppress(RunError):  # it is damaged, incomplete, or in the wrong place
            record = run.complete().record
            check_place(run.path, record)
            seeds[run] = record.seed
    return sorted(seeds, key=lambda run: (seeds[run], run.path))


def runs_in_place(root: Path, fingerprint: str) -> list[Run]:
    """The folders in the places of runs of a fingerprint below `root`, by path: complete runs and damaged ones."""
    folders = [folder for folder in root.glob(f"*-{fingerprint}") if folder.is_dir()]
    for folder in folders:
        restore_replaced(folder)
    places = [path for folder in folders for path in run_folders(folder) if PLACE.fullmatch(path.name)]
    return [Run(place) for place in sorted(places, key=natural_order) if place.is_dir()]


def failed_runs(root: Path, fingerprint: str) -> list[Run]:
    """The partial runs of a fingerprint below `root` whose training failed, by path."""
    runs = []
    below = [path for folder in root.glob(f"*-{fingerprint}") for path in run_folders(folder)]
    for path in sorted(path for path in below if path.suffix == PARTIAL and (path / FAILURE).exists()):
        run = Run(path)
        with suppress(RunError):  # it has no record, so its seed and dataset are unknown, or it is in the wrong place
            check_place(path.with_suffix(""), run.record())
            runs.append(run)
    return runs


def restore(place: Path, *, is_ours: bool = False) -> None:
    """Move a run back that a crash during its replacement left beside its place.

    Does nothing while another process trains the run. With `is_ours`, the caller holds the lock.
    """
    if place.exists() or not (replaced_path(place) / RESULT).is_file() or (not is_ours and is_locked(place)):
        return
    with suppress(OSError):  # another process was faster, or the folder is read-only
        replaced_path(place).rename(place)


def restore_replaced(folder: Path) -> None:
    """Move all runs below `folder` back that crashes left beside their places; see `restore`."""
    for replaced in [path for path in run_folders(folder) if path.suffix == REPLACED]:
        restore(replaced.with_suffix(""))


def complete_runs(folder: Path) -> Iterator[Run]:
    """The complete runs below a folder, by path."""
    restore_replaced(folder)
    for path in sorted(run_folders(folder), key=natural_order):
        if PLACE.fullmatch(path.name) and (path / RESULT).exists():
            yield Run(path)


def run_folders(folder: Path) -> Iterator[Path]:
    """The folders below `folder` with the names of complete, partial, replaced and removed runs; not those in runs."""
    for above, names in folders_with_runs(folder):
        yield from (above / name for name in names)


def folders_with_runs(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Like `run_folders`: each folder that holds some, with their names."""
    for above, names, _ in walk(folder):
        runs = [name for name in names if FOLDER.fullmatch(name)]
        names[:] = [name for name in names if not FOLDER.fullmatch(name)]
        if runs:
            yield above, runs
