"""The machine and the data of a run, as its record stores them."""

import functools
import platform
import subprocess
from pathlib import Path

import torch

from cifar_dsl.foundation.errors import DataError, RunError, UserError
from cifar_dsl.foundation.user_folders import expanded
from cifar_dsl.foundation.version import __version__
from cifar_dsl.runs import RECORD, DataRecord, Machine, Run
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.device import Choice, processor_name
from cifar_dsl.training.options import RunOptions
from cifar_dsl.training.precision import products_of


def this_machine(choice: Choice, engine: str = "eager") -> Machine:
    """This process's machine, device and engine."""
    return Machine(
        cifar_dsl=__version__,
        torch=torch.__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        processor=processor_name(),
        device=str(choice.device),
        device_name=choice.name,
        threads=torch.get_num_threads(),
        commit=commit_of(Path(__file__).parents[1]),
        engine=engine,
        fp32_products=products_of(choice.device),
    )


@functools.cache
def commit_of(package: Path) -> str | None:
    """The commit of the checkout that contains `package`, with `-dirty` if files have changed; None outside of one."""
    if not (package.parent / ".git").exists():  # an installed package; a repository further up is another project's
        return None
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=package, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def data_record(dataset: Dataset) -> DataRecord:
    """A dataset's identity, as run records store it."""
    return DataRecord(
        name=dataset.name,
        digest=dataset.digest,
        origin=dataset.origin,
        train_images=len(dataset.y_train),
        test_images=len(dataset.y_test),
        path=str(dataset.path) if dataset.path and dataset.name == "npz" else None,
        of_train_images=dataset.of_train_images,
    )


def threads_of(run: Run, threads: int | None) -> int:
    """The CPU threads with which to use a run: `threads`, or else those of its record.

    Raises RunError if its record has a number out of bounds.
    """
    if threads is not None:
        return threads
    recorded = run.record().environment.threads
    try:
        RunOptions(threads=recorded)
    except UserError as error:
        raise RunError(f"{run.path / RECORD}: {error.message}", "choose another number with --threads") from None
    return recorded


def array_file_of(run: Run, location: str | None = None) -> Path:
    """The array file that a run was trained on: at `location`, or else where its record says. Raises RunError."""
    location = location or run.record().data.path
    path = expanded(location) if location else None
    if path is None or not path.is_file():
        problem = f"is not at {path}" if path else "has no recorded path"
        raise RunError(f"the array file of {run.path} {problem}", "pass its path: --data npz:PATH")
    return path


def check_data(run: Run, dataset: Dataset) -> None:
    """Raise DataError unless the run was trained on this dataset, wherever it is now."""
    recorded = run.record().data
    if dataset.digest != recorded.digest:
        raise DataError(
            f"{run.path} was trained on other data",
            f"use the run's data: {recorded.path or recorded.origin}",
            reason=f"the run has {recorded.name} with digest {recorded.digest[:16]}, this is {dataset.digest[:16]}",
        )
