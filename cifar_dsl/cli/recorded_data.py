"""Finds the dataset of a run: where `--data` says that it is now, or else where the run's record says."""

from pathlib import Path

import click

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.user_folders import expanded
from cifar_dsl.runs import Run


def find_data(run: Run, data: str | None) -> Path | None:
    """The path of the run's array file; None for a dataset that is loaded by its name.

    `data` is the value of `--data`. Raises RunError if the file isn't there, UsageError for a value that doesn't fit.
    """
    recorded = run.record().data
    if recorded.name != "npz":
        if data not in {None, recorded.name}:
            raise click.UsageError(f"--data is only for runs on an array file (npz); this run used {recorded.name}.")
        return None
    if data is not None and not data.startswith("npz:"):
        raise click.UsageError(f"--data takes npz:PATH, not {data}.")
    location = data.removeprefix("npz:") if data else recorded.path
    path = expanded(location) if location else None
    if path is None or not path.is_file():
        problem = f"is not at {path}" if path else "has no recorded path"
        raise RunError(f"the array file of {run.path} {problem}", "pass its path: --data npz:PATH")
    return path
