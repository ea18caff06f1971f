"""Errors for files of runs that can't be read or written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cattrs

from cifar_dsl.foundation.atomic import check_writable, is_full
from cifar_dsl.foundation.errors import DiskFullError, RunError
from cifar_dsl.foundation.reading import IrregularFileError, OversizedFileError
from cifar_dsl.runs.records import WrongValueError


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
        return str(one) if isinstance(one, WrongValueError) else ""

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
