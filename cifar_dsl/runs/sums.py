"""SHA256SUMS: the digests of all other files of a complete run, in the format of `sha256sum -c`."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.reading import open_regular, read_regular
from cifar_dsl.runs.places import BEST, METRICS, PREDICTIONS, RECORD, RESULT, SELECTION, SPEC, SUMS, WEIGHTS, WHITENING
from cifar_dsl.runs.records import SCHEMA_WITH_SUMS, RunRecord, RunResult, changed, damaged, unreadable

_WEIGHTS = {WEIGHTS, BEST, WHITENING}
_LARGEST = 1 << 20  # bytes of SHA256SUMS
_LARGEST_SMALL = 1 << 28  # bytes of a file that doesn't hold weights
_FILES = (SPEC, RECORD, METRICS, WHITENING, SELECTION, WEIGHTS, BEST, PREDICTIONS, RESULT)
_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[^/\\.][^/\\]*)")  # a name without a folder


def file_digest(path: Path, most: int | None = None) -> str:
    """The SHA-256 of a file of at most `most` bytes, in hexadecimal. Raises OSError."""
    with open_regular(path, most) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums(folder: Path, result: bytes) -> bytes:
    """The content of SHA256SUMS for a run whose result file, `result`, isn't written yet. Raises OSError."""
    digests = {name: file_digest(folder / name) for name in _existing(folder)}
    digests[RESULT] = hashlib.sha256(result).hexdigest()
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()


def recorded_digests(folder: Path, record: RunRecord, result: RunResult) -> dict[str, str]:
    """The digests of a run's files when they were written, by name. Raises RunError if SHA256SUMS is damaged.

    Older runs, without SHA256SUMS, have only those of the weights.
    """
    path = folder / SUMS
    if path.exists() or record.schema >= SCHEMA_WITH_SUMS:
        try:
            return _read_sums(path, result)
        except OSError as error:
            raise unreadable(path, error) from error
        except ValueError as error:
            raise damaged(path, error) from error
    digests = {WEIGHTS: result.weights_digest} if result.weights_digest else {}
    return digests | ({BEST: result.best.weights_digest} if result.best else {})


def damage(folder: Path, digests: Mapping[str, str], *, weights: bool = True) -> Iterator[RunError]:
    """The error of each file that isn't the one with its digest; without `weights`, only of small files."""
    for name, digest in digests.items():
        is_small = name not in _WEIGHTS
        if not (is_small or weights):
            continue
        path = folder / name
        try:
            found = hashlib.sha256(read_regular(path, _LARGEST_SMALL)).hexdigest() if is_small else file_digest(path)
        except OSError as error:
            yield unreadable(path, error)
        else:
            if found != digest:
                yield changed(path)


def _read_sums(path: Path, result: RunResult) -> dict[str, str]:
    """Digests by file name. Raises OSError, or ValueError if the file is damaged.

    Missing lines are detected: every existing file of the run must have one, and every file that `result` implies.
    """
    digests = {}
    for line in read_regular(path, _LARGEST).decode("ascii").splitlines():
        match = _LINE.fullmatch(line)
        if not match:
            raise ValueError(f"{path}: {line}")
        digests[match["name"]] = match["digest"]
    weights = {WEIGHTS} if result.accuracy is not None else set()
    best = {BEST} if result.best else set()
    if missing := {SPEC, RECORD, METRICS, RESULT, *weights, *best, *_existing(path.parent)} - digests.keys():
        raise ValueError(f"{path} lacks {', '.join(sorted(missing))}")
    return digests


def _existing(folder: Path) -> list[str]:
    return [name for name in _FILES if (folder / name).exists()]
