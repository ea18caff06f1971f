"""Finds the dataset and artifacts of a run: where options say that they are now, or else where its record says."""

from collections.abc import Mapping
from pathlib import Path

import click

from cifar_dsl.operations.recipe import ARTIFACTS
from cifar_dsl.runs import ArtifactRecord, Run
from cifar_dsl.training.artifacts import changed_artifact, read_artifact


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
    from cifar_dsl.training.provenance import array_file_of

    return array_file_of(run, data.removeprefix("npz:") if data else None)


def find_artifacts(run: Run, moved: Mapping[str, Path | None]) -> tuple[ArtifactRecord, ...]:
    """The artifacts that the run uses, where they are now; `moved` has the values of their options, by kind.

    Raises RunError if one isn't there or has changed, UsageError for an option without effect.
    """
    recorded = run.record().uses
    kinds = {one.kind for one in recorded}
    for kind, path in moved.items():
        if path is not None and kind not in kinds:
            artifact = ARTIFACTS[kind]
            raise click.UsageError(f"{artifact.option} is only for runs that use {artifact.phrase}; this run doesn't.")
    found = []
    for one in recorded:
        file = read_artifact(one.kind, moved.get(one.kind) or one.path)
        if file.record.digest != one.digest:
            raise changed_artifact(one.kind, one.digest, file.record.digest)
        found.append(file.record)
    return tuple(found)
