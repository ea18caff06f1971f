from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from attrs import evolve

from cifar_dsl.experiments.comparison import ComparedSpec, read_run
from cifar_dsl.experiments.comparison.readable import read_failed
from cifar_dsl.runs import (
    DataRecord,
    EpochMetrics,
    Machine,
    RunRecord,
    RunResult,
    RunWriter,
    SpecIdentity,
    failed_runs,
    record_failure,
    run_path,
)

SPEC = "arch x\n"


@pytest.fixture
def entry(tmp_path: Path) -> Callable[..., ComparedSpec]:
    """A spec with a run for each accuracy; None is one that diverged. `failed` are the seeds that failed."""

    def make(
        name: str,
        *,
        accuracies: Sequence[float | None] = (),
        times: Sequence[float] | None = None,
        parameters: int = 1000,
        lineage: tuple[str, ...] | None = None,
        changes: tuple[str, ...] = (),
        fingerprint: str = "",
        digest: str = "ab" * 32,
        origin: str = "drawn",
        device: str = "a processor",
        spec_text: str = SPEC,
        failed: Sequence[int] = (),
        curves: Sequence[Sequence[float | None]] | None = None,
        stopped_after: Sequence[int] = (),
    ) -> ComparedSpec:
        lineage = lineage or (name,)
        fingerprint = fingerprint or f"{sum(map(ord, name)) % 16**12:012x}"
        spec = SpecIdentity(name, fingerprint, lineage, changes, ())
        data = DataRecord("npz", digest, origin, 60, 20)
        environment = Machine("0", "2", "3", "here", "a processor", "cpu", device, 1)
        runs = []

        def begun(seed: int) -> RunWriter:
            writer = RunWriter(run_path(tmp_path, evolve(spec, name=name.replace("/", "_")), seed))
            writer.acquire()
            writer.start(RunRecord(spec, seed, data, environment, "2025-01-01"), spec_text)
            return writer

        for seed, accuracy in enumerate(accuracies):
            writer = begun(seed)
            for epoch, test_accuracy in enumerate(curves[seed] if curves else (), start=1):
                test_loss = None if test_accuracy is None else 1.0
                writer.add_epoch(EpochMetrics(epoch, 1e-3, 1.0, epoch / 10, test_loss, test_accuracy, 1.0, 0.1))
            time_s = times[seed] if times else 1.0
            status = "diverged" if accuracy is None else "finished"
            if accuracy is not None:
                writer.weights.write_bytes(b"weights")
            result = RunResult(status, accuracy, accuracy, 1, parameters, 2000, time_s, 60.0)
            if stopped_after:
                result = evolve(result, epochs=stopped_after[seed], stopped_early=True)
            run = writer.commit(result)
            writer.close()
            runs.append(read_run(run))
        for seed in failed:
            writer = begun(seed)
            writer.add_epoch(EpochMetrics(1, 1e-3, 1.0, 0.3, 1.0, 0.3, 1.0, 0.1))
            writer.close()
            record_failure(writer.path, digest, "the disk is full")
        lost = tuple(map(read_failed, failed_runs(tmp_path, fingerprint)))
        return ComparedSpec(name, spec, parameters, 2000, tuple(runs), lost)

    return make
