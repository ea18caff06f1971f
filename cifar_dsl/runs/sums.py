"""SHA256SUMS: the digests of all other files of a complete run, in the format of `sha256sum -c`."""

import hashlib
import re
from pathlib import Path

from cifar_dsl.runs.places import BEST, METRICS, PREDICTIONS, RECORD, RESULT, SPEC, WEIGHTS
from cifar_dsl.runs.records import RunResult

_FILES = (SPEC, RECORD, METRICS, WEIGHTS, BEST, PREDICTIONS, RESULT)
_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[^/\\.][^/\\]*)")  # a name without a folder


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums(folder: Path, result: bytes) -> bytes:
    """The content of SHA256SUMS for a run whose result file, `result`, isn't written yet. Raises OSError."""
    digests = {name: file_digest(folder / name) for name in _existing(folder)}
    digests[RESULT] = hashlib.sha256(result).hexdigest()
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()


def read_sums(path: Path, result: RunResult) -> dict[str, str]:
    """Digests by file name. Raises OSError, or ValueError if the file is damaged.

    Missing lines are detected: every existing file of the run must have one, and every file that `result` implies.
    """
    digests = {}
    for line in path.read_text(encoding="ascii").splitlines():
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
