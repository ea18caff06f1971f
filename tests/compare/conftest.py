from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cifar_dsl.compare import Entry
from cifar_dsl.runs import DataRecord, Environment, RunRecord, RunResult, RunWriter, run_path

FINGERPRINT = "0123456789ab"


@pytest.fixture
def entry(tmp_path: Path) -> Callable[..., Entry]:
    """A spec with a run for each accuracy; None stands for one that diverged."""

    def make(
        name: str,
        *,
        accuracies: Sequence[float | None] = (),
        times: Sequence[float] | None = None,
        parameters: int = 1000,
        lineage: tuple[str, ...] | None = None,
        changes: tuple[str, ...] = (),
        digest: str = "ab" * 32,
        origin: str = "drawn",
        device: str = "a processor",
    ) -> Entry:
        lineage = lineage or (name,)
        runs = []
        for seed, accuracy in enumerate(accuracies):
            writer = RunWriter(run_path(tmp_path, name, FINGERPRINT, seed))
            data = DataRecord("npz", digest, origin, 60, 20)
            environment = Environment("0", "2", "3", "here", "a processor", "cpu", device, 1)
            writer.take()
            writer.start(
                RunRecord(name, FINGERPRINT, seed, lineage, changes, (), data, environment, "2025-01-01"), "arch x\n"
            )
            time_s = times[seed] if times else 1.0
            status = "diverged" if accuracy is None else "finished"
            runs.append(writer.commit(RunResult(status, accuracy, accuracy, 1, parameters, 2000, time_s, 60.0)))
        return Entry(name, lineage, changes, FINGERPRINT, parameters, 2000, tuple(runs))

    return make
