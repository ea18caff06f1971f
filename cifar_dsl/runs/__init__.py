"""What a run is on disk: one folder for a fingerprint and a seed; which data it used stands in its record.

    runs/<name>-<fingerprint>/seed-<n>/
        spec.arch            the resolved spec with overrides applied; it extends nothing
        run.json             who, when, on what: RunRecord
        metrics.jsonl        one EpochMetrics a line
        weights.safetensors  the trained weights; the spec is in the metadata
        best.safetensors     the weights of the best epoch, where images were held out
        predictions.npz      what the network said of every test image
        result.json          RunResult
        SHA256SUMS           the digests of all these, as `sha256sum -c` reads them

A run is written beside its place and moved there when it is complete, so that a folder called `seed-<n>`
is always whole. Beside it lie at times

    seed-<n>.partial/        the run while it is trained, or after it was broken off, with its checkpoints,
                             and with failure.json where it failed
    seed-<n>.lock            is locked while a process trains it; the system lets go when the process ends, however
    seed-<n>.replaced/       the older run, while a new one takes its place
    seed-<n>.removed/        a run while it is removed
"""

from cifar_dsl.runs.failures import note_failure
from cifar_dsl.runs.folder import Run, failed_runs, find_runs, open_partial, open_run
from cifar_dsl.runs.identity import RunIdentity, SpecIdentity
from cifar_dsl.runs.places import (
    BEST,
    METRICS,
    PREDICTIONS,
    RECORD,
    RESULT,
    SPEC,
    SUMS,
    WEIGHTS,
    partial_path,
    run_path,
)
from cifar_dsl.runs.records import (
    Best,
    DataRecord,
    EpochMetrics,
    Failure,
    Machine,
    Resumption,
    RunRecord,
    RunResult,
    written,
)
from cifar_dsl.runs.writer import RunWriter

__all__ = [
    "BEST",
    "METRICS",
    "PREDICTIONS",
    "RECORD",
    "RESULT",
    "SPEC",
    "SUMS",
    "WEIGHTS",
    "Best",
    "DataRecord",
    "EpochMetrics",
    "Failure",
    "Machine",
    "Resumption",
    "Run",
    "RunIdentity",
    "RunRecord",
    "RunResult",
    "RunWriter",
    "SpecIdentity",
    "failed_runs",
    "find_runs",
    "note_failure",
    "open_partial",
    "open_run",
    "partial_path",
    "run_path",
    "written",
]
