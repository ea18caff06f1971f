"""The records of a run, and their JSON."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import cattrs
from attrs import fields
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from cifar_dsl.foundation.atomic import check_writable, is_full
from cifar_dsl.foundation.errors import DiskFullError, NewerRunError, RunError
from cifar_dsl.foundation.reading import IrregularFileError, OversizedFileError, read_regular
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.ir import Standardization
from cifar_dsl.runs.identity import RunIdentity, SpecIdentity

SCHEMA = 5  # of run.json; docs/runs.md lists what each one added
SCHEMA_WITH_SUMS = 3  # runs have SHA256SUMS from this schema on
_LARGEST = 1 << 26  # bytes of a text file; a line of metrics.jsonl takes about 400

T = TypeVar("T")


class _ValueError(ValueError):
    """A value that no run has. The message says which, for people."""


def _require(is_valid: bool, name: str, value: object) -> None:
    if not is_valid:
        raise _ValueError(f"{name} is {value!r}")


def _require_shares(**values: float | None) -> None:
    for name, value in values.items():
        _require(value is None or 0 <= value <= 1, name, value)


def _require_amounts(**values: float | None) -> None:
    """Finite, and not negative."""
    for name, value in values.items():
        _require(value is None or 0 <= value < math.inf, name, value)


@frozen
class DataRecord:
    """The dataset of a run. `digest` is the SHA-256 of its arrays.

    `origin` is for people. `path` is that of an .npz file, and None for datasets that are found by name. Of a part of a
    dataset, `of_train_images` are the training images of the whole; JSON has no such key for a whole one.
    """

    name: str
    digest: str
    origin: str
    train_images: int
    test_images: int
    path: str | None = None
    of_train_images: int | None = None

    @property
    def subset(self) -> int:
        """The number of training images of a part of a dataset; 0 for a whole one."""
        return 0 if self.of_train_images is None else self.train_images

    @property
    def title(self) -> str:
        """Its name for people, which says if it is a part: `cifar10 (2,000 of 50,000 images)`."""
        if self.of_train_images is None:
            return self.name
        return f"{self.name} ({self.train_images:,} of {self.of_train_images:,} images)"

    @property
    def shareable(self) -> "DataRecord":
        """The record for a report or table: without the folders of this machine. The digest identifies the data.

        `origin` of earlier versions is the path of an .npz file that doesn't name its source.
        """
        is_path = self.path is not None and self.path.endswith(self.origin)
        return evolve(self, path=None, origin=Path(self.origin).name if is_path else self.origin)


@frozen
class ArtifactRecord:
    """An artifact of a run, of one of the kinds that a recipe `uses`. `digest` is the recipe's, and `path` its file.

    `origin` is for people: what the file says of itself, such as the spec and run that it is from.
    """

    kind: str
    digest: str
    path: str
    origin: str = ""

    @property
    def source(self) -> str:
        """Where it is from, for people."""
        return f"{self.origin} ({self.path})" if self.origin else self.path


@frozen
class Machine:
    """The software and hardware of a run: `environment` in its JSON. `threads` counts the CPU threads of the process.

    `commit` is the commit of cifar_dsl's checkout, and None for an installed package. `fp32_products` says how a GPU
    multiplies float32 numbers; it is empty for other devices, and then JSON has no such key.
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
    fp32_products: str = ""

    def differs(self, other: "Machine") -> tuple[str, ...]:
        """The differences that may change the result's last bits, in words."""
        names = ("cifar_dsl", "torch", "processor", "device", "device_name", "threads", "engine", "fp32_products")
        pairs = [(name, getattr(self, name), getattr(other, name)) for name in names]
        return tuple(f"{name} {mine}, then {theirs}" for name, mine, theirs in pairs if mine != theirs)


@frozen
class Resumption:
    """A resumption of an interrupted run, after `steps_done` steps of `epoch`."""

    epoch: int
    steps_done: int
    when: str
    environment: Machine


@frozen
class Failure:
    """Why and when a training failed, and how to fix it."""

    when: str
    message: str
    help: tuple[str, ...] = ()


@frozen
class RunRecord:
    """The facts of a run that are known at its start, and its resumptions.

    `together` counts the seeds that trained side by side on one device. `normalization` is what the network expects of
    its inputs, and `classes` the names of its outputs; schemas below 4 have neither. `uses` locates the artifacts of
    the recipe; schemas below 5 have none. `whitening` is the SHA-256 of the file of the whitening; None if the recipe
    doesn't whiten, and then JSON has no such key. In JSON, the fields of `spec` are at the top level, not in an object
    of their own.
    """

    spec: SpecIdentity
    seed: int
    data: DataRecord
    environment: Machine
    started: str
    schema: int = SCHEMA
    together: int = 1
    resumed: tuple[Resumption, ...] = ()
    normalization: Standardization | None = None
    classes: tuple[str, ...] = ()
    uses: tuple[ArtifactRecord, ...] = ()
    whitening: str | None = None

    def __attrs_post_init__(self) -> None:
        _require(self.seed >= 0, "seed", self.seed)
        _require(self.schema >= 1, "schema", self.schema)

    @property
    def identity(self) -> RunIdentity:
        """The identity of the run."""
        return RunIdentity(self.spec, self.seed, self.data.digest)


@frozen
class ExitMetrics:
    """Mean loss and accuracy of an exit over the augmented training images of an epoch; tests don't compute it."""

    name: str
    train_loss: float
    train_accuracy: float

    def __attrs_post_init__(self) -> None:
        _require_amounts(train_loss=self.train_loss)
        _require_shares(train_accuracy=self.train_accuracy)


@frozen
class EpochMetrics:
    """The metrics of an epoch: mean loss and accuracy over the augmented training images and over the test images.

    Those of the test images are None after an epoch without an evaluation; the last epoch of a training has one.

    Losses are the recipe's, with its label smoothing; that of the training images is of their mixed labels, too. A
    cross-entropy is that of the softmax of the scores and the true classes, whatever the recipe's loss: it compares
    recipes. Runs of version 0.1.0 have none.

    The training loss of a network with exits is that of all its outputs, times their weights. The training accuracy,
    and all metrics of the test images, are those of its last output. In JSON, `exits` is left out if it is empty.

    `time_s` is the training time in seconds without evaluation; seeds that train together have equal shares. `lr` is
    the learning rate of the last step. The validation metrics are None if no images are held out.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    test_loss: float | None
    test_accuracy: float | None
    time_s: float
    evaluation_time_s: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    test_cross_entropy: float | None = None
    validation_cross_entropy: float | None = None
    exits: tuple[ExitMetrics, ...] = ()

    def __attrs_post_init__(self) -> None:
        _require(self.epoch >= 1, "epoch", self.epoch)
        _require_shares(
            train_accuracy=self.train_accuracy,
            test_accuracy=self.test_accuracy,
            validation_accuracy=self.validation_accuracy,
        )
        _require_amounts(
            train_loss=self.train_loss,
            test_loss=self.test_loss,
            validation_loss=self.validation_loss,
            test_cross_entropy=self.test_cross_entropy,
            validation_cross_entropy=self.validation_cross_entropy,
            time_s=self.time_s,
            evaluation_time_s=self.evaluation_time_s,
        )


@frozen
class Best:
    """The first epoch with the highest accuracy on the held-out images.

    `accuracy` is its accuracy on the test images, and `weights_digest` the SHA-256 of its weights file.
    """

    epoch: int
    validation_accuracy: float
    accuracy: float
    weights_digest: str

    def __attrs_post_init__(self) -> None:
        _require(self.epoch >= 1, "epoch", self.epoch)
        _require_shares(validation_accuracy=self.validation_accuracy, accuracy=self.accuracy)


@frozen
class ExitResult:
    """An exit of a trained network: its metrics in the last epoch, None if training diverged.

    `parameters` counts those of the stages that only lead to it. `weight` is that of its loss.
    """

    name: str
    weight: float
    parameters: int
    train_loss: float | None
    train_accuracy: float | None

    def __attrs_post_init__(self) -> None:
        _require_amounts(weight=self.weight, parameters=self.parameters, train_loss=self.train_loss)
        _require_shares(train_accuracy=self.train_accuracy)


@frozen
class RunResult:
    """The result of a run. Raises ValueError for values that no training has.

    `accuracy`, `loss` (the recipe's) and `cross_entropy` are those of the last epoch on the test images; None if
    training diverged. Runs of version 0.1.0 have no `cross_entropy`. `best` is the best epoch on the held-out images,
    if there are any. `weights_digest` is the SHA-256 of the weights file.

    `parameters` includes those of exits, and `macs` doesn't, since tests don't compute them. In JSON, `exits` is left
    out if it is empty.

    `peak_share` is the training's speed in multiply-accumulates per second, as a fraction of that of a large matrix
    product or convolution on the device; None if not measured. `energy_j` is the energy of the device during training
    and evaluation, in joules; seeds that train together have equal shares. It is None if unknown, or if other trainings
    used the device. `passes` is how often a step computes the gradients of its images: 2 with `perturb sam`.
    `teacher_macs` are those of the teacher for an image; in JSON, they are left out without one. `training_macs` are
    those of a forward pass in training: with exits, and in the mean over the epochs, whose images can differ in size.
    They are None, and left out in JSON, if they equal `macs`. `work_share` is the work of a training that keeps some
    images only, relative to one that learns from all of them in every step; in JSON, it is left out if it is 1.
    `stopped_early`: whether early stopping ended the training, so that `epochs` are fewer than those of the recipe.
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
    cross_entropy: float | None = None
    passes: int = 1
    stopped_early: bool = False
    exits: tuple[ExitResult, ...] = ()
    teacher_macs: int = 0
    training_macs: float | None = None
    work_share: float = 1.0

    def __attrs_post_init__(self) -> None:
        for name, value in (("accuracy", self.accuracy), ("loss", self.loss)):
            _require((value is not None) == (self.status == "finished"), f"the run {self.status}, but {name}", value)
        _require_shares(accuracy=self.accuracy)
        _require(self.passes >= 1, "passes", self.passes)
        _require(self.epochs > 0 or self.status == "diverged", "epochs", self.epochs)
        _require_amounts(
            loss=self.loss,
            cross_entropy=self.cross_entropy,
            epochs=self.epochs,
            parameters=self.parameters,
            macs=self.macs,
            time_s=self.time_s,
            images_per_s=self.images_per_s,
            peak_share=self.peak_share,
            energy_j=self.energy_j,
            training_macs=self.training_macs,
            work_share=self.work_share,
        )


def _is_tuple(cls: Any) -> bool:
    return get_origin(cls) is tuple


_known: dict[tuple[Any, str], Any] = {}  # parts of records by their class and content
_MOST_KNOWN = 1024
_LARGEST_KNOWN = 4096  # characters of their content


def _shared(value: Any, cls: Any, structure: Callable[[Any, Any], Any]) -> Any:
    """The part of a record, structured once: the runs of a folder share dataset, machine, spec and classes."""
    try:
        content = repr(value)  # unlike a comparison, it tells 1 from true
    except RecursionError:
        content = ""
    if not 0 < len(content) <= _LARGEST_KNOWN:
        return structure(value, cls)
    key = (cls, content)
    if (known := _known.get(key)) is None:
        known = structure(value, cls)
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[key] = known
    return known


def _as_shared_tuple(value: Any, cls: Any) -> tuple[Any, ...]:
    if value == []:
        return ()
    shared: tuple[Any, ...] = _shared(value, cls, _as_tuple)
    return shared


def _as_tuple(value: Any, cls: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _ValueError(f"is {value!r:.40}, not a list")
    item, _ = get_args(cls)  # all are tuple[X, ...]
    return tuple(_item(each, item, index) for index, each in enumerate(value))


def _item(value: Any, cls: type[T], index: int) -> T:
    try:
        return _reader.structure(value, cls)
    except _ValueError as error:
        raise _ValueError(f"[{index}] {error}") from None


def _as_text(value: Any, _: type[str]) -> str:
    if not isinstance(value, str):
        raise _ValueError(f"is {value!r:.40}, not a text")
    return value


def _as_integer(value: Any, _: type[int]) -> int:
    if type(value) is not int:  # a bool is an int
        raise _ValueError(f"is {value!r:.40}, not an integer")
    return value


def _as_bool(value: Any, _: type[bool]) -> bool:
    if type(value) is not bool:
        raise _ValueError(f"is {value!r:.40}, neither true nor false")
    return value


def _as_number(value: Any, _: type[float]) -> float:
    if type(value) not in {int, float}:
        raise _ValueError(f"is {value!r:.40}, not a number")
    if not abs(value) < math.inf:
        raise _ValueError(f"is {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise _ValueError("is too large") from None


# Strict, unlike cattrs's own converter, which makes a number of "0.9" and a list of letters of a text.
_reader = cattrs.Converter()
_reader.register_structure_hook(str, _as_text)
_reader.register_structure_hook(int, _as_integer)
_reader.register_structure_hook(bool, _as_bool)
_reader.register_structure_hook(float, _as_number)
_reader.register_structure_hook_func(_is_tuple, _as_shared_tuple)
for _part in (SpecIdentity, DataRecord, Machine, Standardization):
    _reader.register_structure_hook(_part, partial(_shared, structure=make_dict_structure_fn(_part, _reader)))

# run.json is flat, in this order since schema 1.
_SPEC_KEYS = tuple(field.name for field in fields(SpecIdentity))
_FIRST_KEYS = ("name", "fingerprint", "seed")
_LEFT_OUT = cattrs.override(omit_if_default=True)
cattrs.register_unstructure_hook(
    DataRecord, make_dict_unstructure_fn(DataRecord, cattrs.global_converter, of_train_images=_LEFT_OUT)
)
cattrs.register_unstructure_hook(
    Machine, make_dict_unstructure_fn(Machine, cattrs.global_converter, fp32_products=_LEFT_OUT)
)
_nested = make_dict_unstructure_fn(RunRecord, cattrs.global_converter)
_from_nested = make_dict_structure_fn(RunRecord, _reader)


def _flatten(record: RunRecord) -> dict[str, Any]:
    rest: dict[str, Any] = _nested(record)
    if record.whitening is None:
        del rest["whitening"]
    flat: dict[str, Any] = rest.pop("spec") | rest
    return {key: flat[key] for key in _FIRST_KEYS} | flat


class _NewerSchemaError(Exception):
    """A record has a schema that this version doesn't know."""


def _unflatten(flat: dict[str, Any], _: type[RunRecord]) -> RunRecord:
    if isinstance(schema := flat.get("schema"), int) and schema > SCHEMA:
        raise _NewerSchemaError(schema)
    return _from_nested(flat | {"spec": {key: flat[key] for key in _SPEC_KEYS if key in flat}}, RunRecord)


cattrs.register_unstructure_hook(RunRecord, _flatten)
cattrs.register_unstructure_hook(
    EpochMetrics, make_dict_unstructure_fn(EpochMetrics, cattrs.global_converter, exits=_LEFT_OUT)
)
cattrs.register_unstructure_hook(
    RunResult,
    make_dict_unstructure_fn(
        RunResult,
        cattrs.global_converter,
        exits=_LEFT_OUT,
        teacher_macs=_LEFT_OUT,
        training_macs=_LEFT_OUT,
        work_share=_LEFT_OUT,
    ),
)
_reader.register_structure_hook(RunRecord, _unflatten)


def to_json(record: Any) -> bytes:
    """A record as the content of a file."""
    return (json.dumps(cattrs.unstructure(record), indent=2) + "\n").encode()


def to_line(record: Any) -> bytes:
    """A record as one line of a file."""
    return (json.dumps(cattrs.unstructure(record)) + "\n").encode()


def from_json(text: str, cls: type[T]) -> T:
    """The record of a class from its JSON; no value is converted. Raises ValueError, BaseValidationError."""
    try:
        fields = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(fields, dict):
        raise ValueError("not an object")  # noqa: TRY004  # cattrs raises various errors for it
    return _reader.structure(fields, cls)


def read_record(path: Path | str, cls: type[T]) -> T:
    """The record in a file. Raises RunError; NewerRunError if only a newer version can read it.

    For a list of thousands of runs, `path` is a text, because a Path takes as long as reading the file.
    """
    try:
        content = read_regular(path, _LARGEST)
    except OSError as error:
        raise unreadable(Path(path), error) from error
    return record_of(content, path, cls)


def record_of(content: bytes, path: Path | str, cls: type[T]) -> T:
    """The record with this content. Raises errors like `read_record`, which name `path`."""
    try:
        return from_json(content.decode(), cls)
    except _NewerSchemaError as newer:
        raise NewerRunError(
            f"{path} has schema {newer}, but this version of cifar_dsl reads schemas up to {SCHEMA}",
            "update it with `pip install --upgrade cifar-dsl`",
        ) from None
    except (ValueError, cattrs.BaseValidationError) as error:
        raise damaged(Path(path), error) from error


def records_of(content: bytes, path: Path, cls: type[T]) -> list[T]:
    """The records in the lines of a file with this content. Raises RunError, which names `path`."""
    try:
        return [from_json(line, cls) for line in content.decode().splitlines()]
    except (ValueError, cattrs.BaseValidationError) as error:
        raise damaged(path, error) from error


def read_text(path: Path) -> str:
    """The text of a file. Raises RunError, UnicodeDecodeError."""
    try:
        return read_regular(path, _LARGEST).decode()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> RunError:
    """The error for a file of a run that can't be read."""
    is_odd = isinstance(error, IrregularFileError | OversizedFileError)
    return RunError(f"{path} can't be read: {'it is ' if is_odd else ''}{error.strerror or error}", _advice(path))


def damaged(path: Path, error: Exception | None = None) -> RunError:
    """The error for a damaged file, with the wrong values that `error` names."""
    wrong = "; ".join(_wrong_values(error)) if isinstance(error, cattrs.BaseValidationError) else ""
    return RunError(f"{path} is damaged" + (f": {wrong}" if wrong else ""), _advice(path))


def changed(path: Path) -> RunError:
    """The error for a file that was written with other content."""
    return RunError(f"{path} is not the file that was written", _advice(path))


def without_weights(path: Path) -> RunError:
    """The error where a finished run's file of weights is needed, but not there."""
    return RunError(
        f"{path.parent} has no weights: {path} is missing",
        "its result counts in comparisons; where the network is needed, use the folder that the run was copied from, "
        "or train its spec again with --retrain",
    )


def _wrong_values(error: cattrs.BaseValidationError) -> Iterator[str]:
    """Each wrong value with its key: `accuracy is '0.9', not a number`."""

    def described(one: BaseException, _: Any) -> str:
        return str(one) if isinstance(one, _ValueError) else ""

    for line in cattrs.transform_error(error, format_exception=described):
        message, _, key = line.rpartition(" @ $")
        if message:
            key = key.removeprefix(".")
            yield f"{key}{_separator(message) if key else ''}{message}"


def _separator(message: str) -> str:
    """Between a key and a message about its value, a part of it, or one of its keys."""
    return " " if message.startswith("is ") else "" if message.startswith("[") else ": "


def _advice(path: Path) -> str:
    return f"remove the run's folder, {path.parent}, and train the spec again; `cifar-dsl runs verify` lists all damage"


@contextmanager
def explain_write_errors(path: Path) -> Iterator[None]:
    """Turn an OSError while writing `path` or other files of a run into a RunError with advice.

    Raises DiskFullError on a full disk.
    """
    try:
        yield
    except OSError as error:
        remedy = "free some space" if is_full(error) else "check that it is writable"
        raise (DiskFullError if is_full(error) else RunError)(
            f"{error.filename or path} can't be written: {error.strerror or error}",
            f"{remedy}, then rerun the command to resume from the last checkpoint",
        ) from error


def check_root(root: Path, *help: str) -> None:  # noqa: A002
    """Raise RunError unless runs can be written below `root`; DiskFullError on a full disk.

    `help` replaces the advice to choose another folder.
    """
    try:
        check_writable(root)
    except OSError as error:
        remedy = "free some space" if is_full(error) else "make it writable"
        raise (DiskFullError if is_full(error) else RunError)(
            f"runs can't be written to {root}: {error.strerror or error}",
            *(help or (f"{remedy} and rerun the command, or choose another folder with --runs",)),
        ) from error
