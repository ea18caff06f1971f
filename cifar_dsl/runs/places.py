"""The names and paths of runs and their files."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_dsl.foundation.spec_files import RUN_RECORD

if TYPE_CHECKING:
    from cifar_dsl.runs.identity import RunIdentity, SpecIdentity

CHECKPOINTS = "checkpoints"  # the folder of a partial run's checkpoints
SPEC = "spec.arch"
RECORD = RUN_RECORD
METRICS = "metrics.jsonl"
WEIGHTS = "weights.safetensors"
BEST = "best.safetensors"
SELECTION = "selection.safetensors"  # the training images that the run chose in each epoch
WHITENING = "whitening.safetensors"  # the mean and matrix that the images were whitened with
PREDICTIONS = "predictions.npz"
RESULT = "result.json"
SUMS = "SHA256SUMS"  # of all other files of a complete run
HOLDER = "process.json"  # the process that trains a partial run
FAILURE = "failure.json"  # why the training of a partial run failed

PREFIX = "seed-"  # of the name of a run, before its seed
PARTIAL, REPLACED, REMOVED = ".partial", ".replaced", ".removed"  # suffixes of the folders beside the place of a run
PLACE = re.compile(rf"{PREFIX}\d+")  # the name of a complete run
PLACE_OF_SPEC = re.compile(r".+-(?P<fingerprint>[0-9a-f]{12})")  # the name of the folder of a spec's runs
FOLDER = re.compile(rf"{PLACE.pattern}({'|'.join(map(re.escape, (PARTIAL, REPLACED, REMOVED)))})?")  # and beside it


def run_name(seed: int) -> str:
    """The name of the run with a seed: `seed-3`."""
    return f"{PREFIX}{seed}"


def seed_of(name: str) -> int:
    """The seed in the name of a run, or of a folder beside its place."""
    return int(name.partition(".")[0].removeprefix(PREFIX))


def run_path(root: Path, spec: "SpecIdentity", seed: int) -> Path:
    """The place of the run of a spec and a seed."""
    return root / spec.folder / run_name(seed)


def partial_path(place: Path) -> Path:
    """The folder of the run of `place` until it is complete."""
    return place.with_name(place.name + PARTIAL)


def replaced_path(place: Path) -> Path:
    """The folder of the older run of `place` while a new one replaces it."""
    return place.with_name(place.name + REPLACED)


def removed_path(place: Path) -> Path:
    """The folder of the run of `place` during its removal."""
    return place.with_name(place.name + REMOVED)


def lock_path(place: Path) -> Path:
    """The lock file of the run of `place`."""
    return place.with_name(place.name + ".lock")


def training_lock_path(root: Path, identity: "RunIdentity") -> Path:
    """The lock file of a training, whose run may have several names; it exists only while it is locked."""
    return root / f".{identity.spec.fingerprint}-{run_name(identity.seed)}.lock"
