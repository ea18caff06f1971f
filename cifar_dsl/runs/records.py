"""What is written down of a run, and how it becomes JSON."""

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import cattrs
from attrs import fields
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs.identity import RunIdentity, SpecIdentity

SCHEMA = 3
SCHEMA_WITH_SUMS = 3  # since which a run has SHA256SUMS

T = TypeVar("T")


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
class Machine:
    """Where a run was computed: `environment` in its JSON. `threads` are those of one CPU process.

    `commit` is that of cifar_dsl's checkout, and None where the package was installed. `engine` is how steps were run.
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
    engine: str = "eager"

    def differs(self, other: "Machine") -> tuple[str, ...]:
        """What of it may give other bits there, in words."""
        names = ("cifar_dsl", "torch", "processor", "device", "device_name", "threads", "engine")
        pairs = [(name, getattr(self, name), getattr(other, name)) for name in names]
        return tuple(f"{name} {one}, then {two}" for name, one, two in pairs if one != two)


@frozen
class Resumption:
    """A place at which a run went on after it had been broken off: so many steps of `epoch` were done."""

    epoch: int
    steps_done: int
    when: str
    environment: Machine


@frozen
class Failure:
    """Why a training failed, when, and what can be done about it."""

    when: str
    message: str
    help: tuple[str, ...] = ()


@frozen
class RunRecord:
    """What is known when a run starts, and where it was resumed.

    `together` is how many seeds were trained side by side on one device. In JSON the fields of `spec` stand beside the
    others, not in an object of their own.
    """

    spec: SpecIdentity
    seed: int
    data: DataRecord
    environment: Machine
    started: str
    schema: int = SCHEMA
    together: int = 1
    resumed: tuple[Resumption, ...] = ()

    @property
    def identity(self) -> RunIdentity:
        """Which run it is."""
        return RunIdentity(self.spec, self.seed, self.data.digest)


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
class Best:
    """The epoch with the highest accuracy on the images that were held out, the first of equals.

    `accuracy` is what its weights reached on the test images; `weights_digest` is the SHA-256 of their file.
    """

    epoch: int
    validation_accuracy: float
    accuracy: float
    weights_digest: str


@frozen
class RunResult:
    """What came out. `accuracy` is that of the last epoch on the test images; None where training diverged.

    Where images were held out, `best` is the epoch that was best on those. `weights_digest` is the SHA-256 of the file
    of weights. `peak_share` is which part of a large matrix product's multiply-accumulates a second the training got
    done on the device; None where it wasn't measured. `energy_j` is what the device took meanwhile, evaluations
    included, in joules, and of seeds that were trained together the share of one; None where it doesn't tell, or where
    other trainings used it too.
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
    best: Best | None = None
    peak_share: float | None = None
    energy_j: float | None = None


# run.json is flat, in this order since schema 1.
_SPEC_KEYS = tuple(field.name for field in fields(SpecIdentity))
_FIRST_KEYS = ("name", "fingerprint", "seed")
_nested = make_dict_unstructure_fn(RunRecord, cattrs.global_converter)
_from_nested = make_dict_structure_fn(RunRecord, cattrs.global_converter)


def _flatten(record: RunRecord) -> dict[str, Any]:
    rest: dict[str, Any] = _nested(record)
    flat: dict[str, Any] = rest.pop("spec") | rest
    return {key: flat[key] for key in _FIRST_KEYS} | flat


def _unflatten(flat: dict[str, Any], _: type[RunRecord]) -> RunRecord:
    return _from_nested(flat | {"spec": {key: flat[key] for key in _SPEC_KEYS if key in flat}}, RunRecord)


cattrs.register_unstructure_hook(RunRecord, _flatten)
cattrs.register_structure_hook(RunRecord, _unflatten)


def to_json(record: Any) -> bytes:
    """A record as a file holds it."""
    return (json.dumps(cattrs.unstructure(record), indent=2) + "\n").encode()


def to_line(record: Any) -> bytes:
    """A record as a line of a file."""
    return (json.dumps(cattrs.unstructure(record)) + "\n").encode()


def from_json(text: str, cls: type[T]) -> T:
    """The record of a class that JSON stands for. Raises ValueError, BaseValidationError."""
    try:
        fields = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(fields, dict):
        raise ValueError("not an object")  # noqa: TRY004  # cattrs stumbles over it in many ways
    return cattrs.structure(fields, cls)


def read_record(path: Path, cls: type[T]) -> T:
    """The record in a file. Raises RunError."""
    try:
        return from_json(read_text(path), cls)
    except (ValueError, cattrs.BaseValidationError) as error:
        raise damaged(path) from error


def read_text(path: Path) -> str:
    """The text of a file. Raises RunError, UnicodeDecodeError."""
    if path.exists() and not path.is_file():  # to read a pipe would never end
        raise RunError(f"{path} is no file", "delete the run's folder and train the spec again")
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path} can't be read: {error.strerror}", "train the spec again") from error


def damaged(path: Path) -> RunError:
    """The error that says that a file is."""
    return RunError(
        f"{path} is damaged",
        f"remove the run's folder, {path.parent}, and train the spec again; `cifar-dsl runs verify` finds all such",
    )


@contextmanager
def written(path: Path) -> Iterator[None]:
    """While files of a run are written, `path` or others: where that fails, RunError says which, and what to do."""
    try:
        yield
    except OSError as error:
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        remedy = "make room there" if is_full else "see to it that it can be written"
        raise RunError(
            f"{error.filename or path} can't be written: {error.strerror or error}",
            f"{remedy}, and give the same command again: it goes on from the last checkpoint",
        ) from error
