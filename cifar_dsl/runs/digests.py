"""SHA256SUMS: the digest of every other file of a complete run, as `sha256sum -c` reads it."""

import hashlib
import re
from pathlib import Path

from cifar_dsl.runs.places import BEST, METRICS, PREDICTIONS, RECORD, RESULT, SPEC, WEIGHTS
from cifar_dsl.runs.records import RunResult

_FILES = (SPEC, RECORD, METRICS, WEIGHTS, BEST, PREDICTIONS, RESULT)
_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[^/\\.][^/\\]*)")  # a name that leads nowhere else


def file_digest(path: Path) -> str:
    """The SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums(folder: Path, result: bytes) -> bytes:
    """The content of the file for a run whose `result` is still to be written. Raises OSError."""
    digests = {name: file_digest(folder / name) for name in _there(folder)}
    digests[RESULT] = hashlib.sha256(result).hexdigest()
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()


def read_sums(path: Path, result: RunResult) -> dict[str, str]:
    """Digests by the names of files. Raises OSError; ValueError where the file is damaged.

    A line that was cut off is noticed: each file of the run that is there has one, and each that its `result` tells of.
    """
    digests = {}
    for line in path.read_text(encoding="ascii").splitlines():
        match = _LINE.fullmatch(line)
        if not match:
            raise ValueError(f"{path}: {line}")
        digests[match["name"]] = match["digest"]
    weights = {WEIGHTS} if result.accuracy is not None else set()
    best = {BEST} if result.best else set()
    if missing := {SPEC, RECORD, METRICS, RESULT, *weights, *best, *_there(path.parent)} - digests.keys():
        raise ValueError(f"{path} lacks {', '.join(sorted(missing))}")
    return digests


def _there(folder: Path) -> list[str]:
    return [name for name in _FILES if (folder / name).exists()]
