"""The names and paths of runs and their files."""

import re
from pathlib import Path

from cifar_dsl.foundation.spec_files import RUN_RECORD
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

PLACE = re.compile(r"seed-\d+")  # the name of a complete run
PLACE_OF_SPEC = re.compile(r".+-(?P<fingerprint>[0-9a-f]{12})")  # the name of the folder of a spec's runs
FOLDER = re.compile(rf"{PLACE.pattern}(\.partial|\.replaced|\.removed)?")  # and of folders beside its place


def run_path(root: Path, spec: SpecIdentity, seed: int) -> Path:
    """The place of the run of a spec and a seed."""
    return root / spec.folder / f"seed-{seed}"


def partial_path(place: Path) -> Path:
    """The folder of the run of `place` until it is complete."""
    return place.with_name(place.name + ".partial")


def replaced_path(place: Path) -> Path:
    """The folder of the older run of `place` while a new one replaces it."""
    return place.with_name(place.name + ".replaced")


def removed_path(place: Path) -> Path:
    """The folder of the run of `place` during its removal."""
    return place.with_name(place.name + ".removed")


def lock_path(place: Path) -> Path:
    """The lock file of the run of `place`."""
    return place.with_name(place.name + ".lock")


def training_lock_path(root: Path, identity: RunIdentity) -> Path:
    """The lock file of a training, whose run may have several names; it exists only while it is locked."""
    return root / f".{identity.spec.fingerprint}-seed-{identity.seed}.lock"
