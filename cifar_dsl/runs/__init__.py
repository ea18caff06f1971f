"""Runs on disk: one folder for each fingerprint and seed. A run's record names its dataset.

    runs/<name>-<fingerprint>/seed-<n>/
        spec.arch            the resolved spec with overrides applied; it extends nothing
        run.json             spec, seed, data, machine and start time: RunRecord
        metrics.jsonl        one EpochMetrics per line
        weights.safetensors  the trained weights; the spec is in the metadata
        best.safetensors     the weights of the best epoch, if images were held out
        predictions.npz      the prediction for every test image
        result.json          RunResult
        SHA256SUMS           the digests of all these files, for `sha256sum -c`

A run is written beside its place and moved there when it is complete, so a folder called `seed-<n>` is always complete.
At times there are others beside it:

    seed-<n>.partial/        a run in training, or after an interruption, with its checkpoints, and with failure.json
                             if it failed
    seed-<n>.lock            locked while a process trains the run; the system releases it when the process ends
    seed-<n>.replaced/       the older run, while a new one takes its place
    seed-<n>.removed/        a run during its removal
"""

from cifar_dsl.runs.claim import claim, on_changed_file, place_of
from cifar_dsl.runs.failures import record_failure
from cifar_dsl.runs.file_errors import check_root, explain_write_errors
from cifar_dsl.runs.folder import Run, check_place, failed_runs, find_runs, open_partial, open_run, runs_in_place
from cifar_dsl.runs.identity import RunIdentity, SpecIdentity
from cifar_dsl.runs.places import (
    BEST,
    METRICS,
    PREDICTIONS,
    RECORD,
    RESULT,
    SELECTION,
    SPEC,
    SUMS,
    WEIGHTS,
    WHITENING,
    partial_path,
    run_path,
)
from cifar_dsl.runs.records import (
    ArtifactRecord,
    Best,
    DataRecord,
    EpochMetrics,
    ExitMetrics,
    ExitResult,
    Machine,
    Resumption,
    RunRecord,
    RunResult,
)
from cifar_dsl.runs.writer import RunWriter

__all__ = [
    "BEST",
    "METRICS",
    "PREDICTIONS",
    "RECORD",
    "RESULT",
    "SELECTION",
    "SPEC",
    "SUMS",
    "WEIGHTS",
    "WHITENING",
    "ArtifactRecord",
    "Best",
    "DataRecord",
    "EpochMetrics",
    "ExitMetrics",
    "ExitResult",
    "Machine",
    "Resumption",
    "Run",
    "RunIdentity",
    "RunRecord",
    "RunResult",
    "RunWriter",
    "SpecIdentity",
    "check_place",
    "check_root",
    "claim",
    "explain_write_errors",
    "failed_runs",
    "find_runs",
    "on_changed_file",
    "open_partial",
    "open_run",
    "partial_path",
    "place_of",
    "record_failure",
    "run_path",
    "runs_in_place",
]
