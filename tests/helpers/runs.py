"""Small runs on disk."""

from pathlib import Path

from cifar_dsl.runs import (
    DataRecord,
    Environment,
    EpochMetrics,
    Run,
    RunRecord,
    RunResult,
    RunWriter,
    run_path,
)

FINGERPRINT = "0123456789ab"
EPOCH = EpochMetrics(1, 0.1, 2.0, 0.25, 2.1, 0.2, 1.5, 0.5)
RESULT_OF_RUN = RunResult("finished", 0.2, 2.1, 1, 100, 1000, 2.0, 40.0)


def record(name: str = "mine", seed: int = 0) -> RunRecord:
    return RunRecord(
        name=name,
        fingerprint=FINGERPRINT,
        seed=seed,
        lineage=(name, "base"),
        changes=("head = [512]",),
        overrides=(),
        data=DataRecord("shapes", "ab" * 32, "drawn", 60, 20),
        environment=Environment("0", "2", "3", "here", "a processor", "cpu", "a processor", 1),
        started="2025-01-01T00:00:00+00:00",
    )


def write(root: Path, name: str = "mine", seed: int = 0, spec: str = "arch mine\n") -> Run:
    writer = RunWriter(run_path(root, name, FINGERPRINT, seed))
    writer.take()
    writer.start(record(name, seed), spec)
    writer.add_epoch(EPOCH)
    writer.weights.write_bytes(b"weights")
    run = writer.commit(RESULT_OF_RUN)
    writer.close()
    return run


def names_below(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*"))
