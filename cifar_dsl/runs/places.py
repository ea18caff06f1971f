"""Where the files of runs lie."""

import re
from pathlib import Path

from cifar_dsl.runs.identity import SpecIdentity

SPEC = "spec.arch"
RECORD = "run.json"
METRICS = "metrics.jsonl"
WEIGHTS = "weights.safetensors"
BEST = "best.safetensors"
PREDICTIONS = "predictions.npz"
RESULT = "result.json"
SUMS = "SHA256SUMS"  # of all other files of a complete run
HOLDER = "process.json"  # who trains a partial run
FAILURE = "failure.json"  # why the training of a partial run failed

PLACE = re.compile(r"seed-\d+")  # the name of a complete run
FOLDER = re.compile(rf"{PLACE.pattern}(\.partial|\.replaced|\.removed)?")  # and of those that lie beside its place


def run_path(root: Path, spec: SpecIdentity, seed: int) -> Path:
    """Where the run of a spec and a seed lies, or will lie."""
    return root / f"{spec.name}-{spec.fingerprint}" / f"seed-{seed}"


def partial_path(place: Path) -> Path:
    """Where the run that belongs in `place` lies until it is complete."""
    return place.with_name(place.name + ".partial")


def replaced_path(place: Path) -> Path:
    """Where the older run of `place` lies while a new one takes its place."""
    return place.with_name(place.name + ".replaced")


def removed_path(place: Path) -> Path:
    """Where the run of `place` lies while it is removed."""
    return place.with_name(place.name + ".removed")


def lock_path(place: Path) -> Path:
    """The file that is locked while the run of `place` is trained."""
    return place.with_name(place.name + ".lock")
