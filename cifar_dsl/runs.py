"""What a run is on disk: one folder for a fingerprint and a seed; which data it used stands in its record.

    runs/<name>-<fingerprint>/seed-<n>/
        spec.arch            the resolved spec with overrides applied; it extends nothing
        run.json             who, when, on what: RunRecord
        metrics.jsonl        one EpochMetrics a line
        weights.safetensors  the trained weights; the spec is in the metadata
        result.json          RunResult

A run is written beside its place and moved there when it is complete, so that a folder called `seed-<n>`
is always whole. Beside it lie at times

    seed-<n>.partial-<pid>-<digits>/    what the process <pid> is writing, or wrote before it broke off
    seed-<n>.replaced/                  the older run, while a new one takes its place
"""

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

import cattrs
from attrs import define, field, frozen

from cifar_dsl.atomic import sync_folder, write_atomically
from cifar_dsl.errors import UserError

SPEC = "spec.arch"
RECORD = "run.json"
METRICS = "metrics.jsonl"
WEIGHTS = "weights.safetensors"
RESULT = "result.json"
SCHEMA = 1

T = TypeVar("T")


class RunError(UserError):
    """A run folder that isn't one, or a run that can't be used or made."""


@frozen
class DataRecord:
    """The data that a run used. `digest` is the SHA-256 of its arrays.

    `origin` is for people; `path` is where a file of arrays lay, and None for data that is found by its name.
    """

    name: str
    digest: str
    origin: str
    train_images: int
    test_images: int
    path: str | None = None


@frozen
class Environment:
    """Where a run was computed. `threads` are those of one CPU process.

    `commit` is that of cifar_dsl's checkout, and None where the package was installed.
    """

    cifar_dsl: str
    torch: str
    python: str
    platform: str
    processor: str
    device: str
    device_name: str
    threads: int
    commit: str | None = None


@frozen
class RunRecord:
    """What is known when a run starts."""

    name: str
    fingerprint: str
    seed: int
    lineage: tuple[str, ...]
    changes: tuple[str, ...]
    overrides: tuple[str, ...]
    data: DataRecord
    environment: Environment
    started: str
    schema: int = SCHEMA


@frozen
class EpochMetrics:
    """One epoch: mean loss and accuracy over the training images as they were seen, and over the test images.

    `time_s` is the time of training without the evaluation, and of several seeds that are trained together the share
    of one; `lr` the learning rate of the last step. `validation` is None where no images are held out.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    time_s: float
    evaluation_time_s: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


@frozen
class RunResult:
    """What came out. `accuracy` is that of the last epoch on the test images; None where training diverged.

    `weights_digest` is the SHA-256 of the file of weights.
    """

    status: Literal["finished", "diverged"]
    accuracy: float | None
    loss: float | None
    epochs: float
    parameters: int
    macs: int
    time_s: float
    images_per_s: float
    weights_digest: str | None = None


@frozen
class Run:
    """A complete run."""

    path: Path

    @property
    def spec_text(self) -> str:
        """The resolved spec."""
        return _read(self.path / SPEC)

    @property
    def weights(self) -> Path:
        """The file of weights."""
        return self.path / WEIGHTS

    def record(self) -> RunRecord:
        """What was known at the start. Raises RunError."""
        return _structured(self.path / RECORD, RunRecord)

    def result(self) -> RunResult:
        """What came out. Raises RunError."""
        return _structured(self.path / RESULT, RunResult)

    def metrics(self) -> list[EpochMetrics]:
        """Epoch by epoch. Raises RunError."""
        path = self.path / METRICS
        try:
            return [_from_json(line, EpochMetrics) for line in _read(path).splitlines()]
        except (ValueError, cattrs.BaseValidationError) as error:
            raise _damaged(path) from error


def open_run(path: Path) -> Run:
    """The run in the folder `path`, which may also be the only run below it. Raises RunError."""
    _restore(path)
    if (path / RESULT).is_file():
        return Run(path)
    below = list(_complete_runs(path)) if path.is_dir() else []
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
    found = [run for folder in root.glob(f"*-{fingerprint}") if folder.is_dir() for run in _complete_runs(folder)]
    return sorted(found, key=lambda run: (run.record().seed, run.path))


def run_path(root: Path, name: str, fingerprint: str, seed: int) -> Path:
    """Where the run of a spec and a seed lies, or will lie."""
    return root / f"{name}-{fingerprint}" / f"seed-{seed}"


@define
class RunWriter:
    """Writes a run beside its place. `commit` moves it there; until then nothing is in the place, or the old run.

    What an interrupted run left is removed.
    """

    path: Path
    _partial: Path = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._partial = self.path.with_name(f"{self.path.name}.partial-{os.getpid()}-{secrets.token_hex(4)}")

    def start(self, record: RunRecord, spec_text: str) -> None:
        """Begin the run. Raises RunError if another process is writing it."""
        # Made before looking around: of two that start in one instant both may give way, but none overlooks the other.
        self._partial.mkdir(parents=True)
        for other, process in _partials(self.path):
            if other == self._partial:
                continue
            is_written = process != os.getpid() and _lives(process)
            if is_written is False:
                shutil.rmtree(other, ignore_errors=True)
            elif is_written:
                shutil.rmtree(self._partial)
                raise RunError(
                    f"{self.path} is being trained by process {process} already",
                    "wait for it, or use another --runs",
                    f"if process {process} is something else, delete {other}",
                )
        _restore(self.path)
        write_atomically(self._partial / SPEC, spec_text.encode())
        write_atomically(self._partial / RECORD, _json(record))
        (self._partial / METRICS).touch()  # there also when not one epoch comes to its end

    def add_epoch(self, metrics: EpochMetrics) -> None:
        """Write down an epoch."""
        with (self._partial / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(cattrs.unstructure(metrics)) + "\n")
            file.flush()
            os.fsync(file.fileno())

    @property
    def weights(self) -> Path:
        """Where the weights are to be written before `commit`."""
        return self._partial / WEIGHTS

    def commit(self, result: RunResult) -> Run:
        """Make the run appear in its place, in that of an older one if there is one."""
        write_atomically(self._partial / RESULT, _json(result))
        replaced = _replaced(self.path)
        if self.path.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            self.path.rename(replaced)
        self._partial.rename(self.path)
        sync_folder(self.path.parent)
        shutil.rmtree(replaced, ignore_errors=True)
        return Run(self.path)


def _replaced(place: Path) -> Path:
    return place.with_name(place.name + ".replaced")


def _restore(place: Path) -> None:
    """Put a run back that a crash in the midst of `commit` left beside its place."""
    if place.exists() or not (_replaced(place) / RESULT).is_file():
        return
    if any(_lives(process) is not False for _, process in _partials(place) if process != os.getpid()):
        return  # another process is about to put the new run there
    with suppress(OSError):  # it has just been done, or the folder can only be read
        _replaced(place).rename(place)


def _partials(place: Path) -> list[tuple[Path, int]]:
    """The folders in which the run of `place` is being written, or was, each with the process."""
    pattern = re.compile(re.escape(place.name) + r"\.partial-(\d+)-[0-9a-f]+")
    beside = place.parent.iterdir() if place.parent.is_dir() else ()
    return [(path, int(match[1])) for path in beside if (match := pattern.fullmatch(path.name))]


def _lives(process: int) -> bool | None:
    """Whether there is such a process on this machine; None where that can't be asked."""
    if os.name != "posix":  # elsewhere os.kill ends the process
        return None
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _complete_runs(folder: Path) -> Iterator[Run]:
    for replaced in list(folder.glob("**/seed-*.replaced")):
        _restore(replaced.with_suffix(""))
    for result in sorted(folder.glob(f"**/seed-*/{RESULT}")):
        if result.parent.suffix == "":
            yield Run(result.parent)


def _structured(path: Path, cls: type[T]) -> T:
    try:
        return _from_json(_read(path), cls)
    except (ValueError, cattrs.BaseValidationError) as error:
        raise _damaged(path) from error


def _from_json(text: str, cls: type[T]) -> T:
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise ValueError("not an object")  # noqa: TRY004  # cattrs stumbles over it in many ways
    return cattrs.structure(fields, cls)


def _json(record: Any) -> bytes:
    return (json.dumps(cattrs.unstructure(record), indent=2) + "\n").encode()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path} can't be read: {error.strerror}", "train the spec again") from error


def _damaged(path: Path) -> RunError:
    return RunError(f"{path} is damaged", "delete the run's folder and train the spec again")
