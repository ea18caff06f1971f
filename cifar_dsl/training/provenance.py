"""Where a run is computed, and on which data: what its record says of both."""

import functools
import platform
import subprocess
from pathlib import Path

import torch

from cifar_dsl.foundation.version import __version__
from cifar_dsl.runs import DataRecord, Machine
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.device import Choice, processor_name


def this_machine(choice: Choice, engine: str = "eager") -> Machine:
    """Where this process computes, and how it runs its steps."""
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
    )


@functools.cache
def commit_of(package: Path) -> str | None:
    """The commit of the checkout that `package` lies in, with `-dirty` after it where files were changed."""
    if not (package.parent / ".git").exists():  # installed; any repository further up is someone else's
        return None
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=package, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def data_record(dataset: Dataset) -> DataRecord:
    """The identity of a data set, as runs keep it."""
    return DataRecord(
        name=dataset.name,
        digest=dataset.digest,
        origin=dataset.origin,
        train_images=len(dataset.y_train),
        test_images=len(dataset.y_test),
        path=str(dataset.path) if dataset.path and dataset.name == "npz" else None,
    )
