"""The records of a run as JSON. Reading is strict: no value is converted."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import cattrs
from attrs import fields
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from cifar_dsl.foundation.errors import NewerRunError
from cifar_dsl.foundation.reading import read_regular
from cifar_dsl.ir import Standardization
from cifar_dsl.runs.file_errors import damaged, unreadable
from cifar_dsl.runs.identity import SpecIdentity
from cifar_dsl.runs.records import SCHEMA, DataRecord, EpochMetrics, Machine, RunRecord, RunResult, WrongValueError

_LARGEST = 1 << 26  # bytes of a text file; a line of metrics.jsonl takes about 400

T = TypeVar("T")


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
        raise WrongValueError(f"is {value!r:.40}, not a list")
    item, _ = get_args(cls)  # all are tuple[X, ...]
    return tuple(_item(each, item, index) for index, each in enumerate(value))


def _item(value: Any, cls: type[T], index: int) -> T:
    try:
        return _reader.structure(value, cls)
    except WrongValueError as error:
        raise WrongValueError(f"[{index}] {error}") from None


def _as_text(value: Any, _: type[str]) -> str:
    if not isinstance(value, str):
        raise WrongValueError(f"is {value!r:.40}, not a text")
    return value


def _as_integer(value: Any, _: type[int]) -> int:
    if type(value) is not int:  # a bool is an int
        raise WrongValueError(f"is {value!r:.40}, not an integer")
    return value


def _as_bool(value: Any, _: type[bool]) -> bool:
    if type(value) is not bool:
        raise WrongValueError(f"is {value!r:.40}, neither true nor false")
    return value


def _as_number(value: Any, _: type[float]) -> float:
    if type(value) not in {int, float}:
        raise WrongValueError(f"is {value!r:.40}, not a number")
    if not abs(value) < math.inf:
        raise WrongValueError(f"is {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise WrongValueError("is too large") from None


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
