"""SHA256SUMS: the digests of all other files of a complete run, in the format of `sha256sum -c`."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.reading import open_regular, read_regular
from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.runs.file_errors import changed, damaged, unreadable
from cifar_dsl.runs.places import BEST, METRICS, PREDICTIONS, RECORD, RESULT, SELECTION, SPEC, SUMS, WEIGHTS, WHITENING
from cifar_dsl.runs.records import SCHEMA_WITH_SUMS, RunRecord, RunResult

_WEIGHTS = {WEIGHTS, BEST, WHITENING}
_LARGEST = {SUMS: 1 << 20, PREDICTIONS: 1 << 28, SELECTION: 1 << 28}  # bytes of files without weights
_LARGEST_TEXT = 1 << 26
_FILES = (SPEC, RECORD, METRICS, WHITENING, SELECTION, WEIGHTS, BEST, PREDICTIONS, RESULT)
_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[^/\\.][^/\\]*)")  # a name without a folder


@frozen(eq=False)
class SmallFiles:
    """The files of a run, but for its weights: each is read once, when it is first needed."""

    folder: Path
    _contents: dict[str, bytes] = field(factory=dict, init=False)

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return name in self._contents or (self.folder / name).exists()

    def content(self, name: str) -> bytes:
        """The content of a file. Raises RunError if it can't be read."""
        if name not in self._contents:
            try:
                found = read_regular(f"{self.folder}{os.sep}{name}", _LARGEST.get(name, _LARGEST_TEXT))
            except OSError as error:
                raise unreadable(self.folder / name, error) from error
            self._contents[name] = found
        return self._contents[name]


def file_digest(path: Path, most: int | None = None) -> str:
    """The SHA-256 of a file of at most `most` bytes, in hexadecimal. Raises OSError."""
    with open_regular(path, most) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums(folder: Path, result: bytes) -> bytes:
    """The content of SHA256SUMS for a run whose result file, `result`, isn't written yet. Raises OSError."""
    digests = {name: file_digest(folder / name) for name in _existing(folder)}
    digests[RESULT] = hashlib.sha256(result).hexdigest()
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()


def recorded_digests(files: SmallFiles, record: RunRecord, result: RunResult) -> dict[str, str]:
    """The digests of a run's files when they were written, by name. Raises RunError if SHA256SUMS is damaged.

    Older runs, without SHA256SUMS, have only those of the weights.
    """
    if record.schema >= SCHEMA_WITH_SUMS or (files.folder / SUMS).exists():
        content = files.content(SUMS)
        try:
            return _digests(content, files.folder, result)
        except ValueError as error:
            raise damaged(files.folder / SUMS, error) from error
    digests = {WEIGHTS: result.weights_digest} if result.weights_digest else {}
    return digests | ({BEST: result.best.weights_digest} if result.best else {})


def damage(files: SmallFiles, digests: Mapping[str, str], *, weights: bool = True) -> Iterator[RunError]:
    """The error of each file that isn't the one with its digest; without `weights`, only of small files."""
    for name, digest in digests.items():
        is_small = name not in _WEIGHTS
        if not (is_small or weights):
            continue
        try:
            found = hashlib.sha256(files.content(name)).hexdigest() if is_small else file_digest(files.folder / name)
        except OSError as error:
            yield unreadable(files.folder / name, error)
        except RunError as error:
            yield error
        else:
            if found != digest:
                yield changed(files.folder / name)


def _digests(content: bytes, folder: Path, result: RunResult) -> dict[str, str]:
    """Digests by file name, from SHA256SUMS. Raises OSError, or ValueError if that is damaged.

    Missing lines are detected: every existing file of the run must have one, and every file that `result` implies.
    """
    digests = {}
    for line in content.decode("ascii").splitlines():
        match = _LINE.fullmatch(line)
        if not match:
            raise ValueError(f"{SUMS}: {line}")
        digests[match["name"]] = match["digest"]
    weights = {WEIGHTS} if result.accuracy is not None else set()
    best = {BEST} if result.best else set()
    if missing := {SPEC, RECORD, METRICS, RESULT, *weights, *best, *_existing(folder)} - digests.keys():
        raise ValueError(f"{SUMS} lacks {', '.join(sorted(missing))}")
    return digests


def _existing(folder: Path) -> list[str]:
    there = set(os.listdir(folder))  # noqa: PTH208  a Path for each takes longer than the call
    return [name for name in _FILES if name in there]
