"""Small runs on disk."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve

from cifar_dsl.experiments.comparison import ComparedSpec, read_run
from cifar_dsl.runs import (
    SUMS,
    DataRecord,
    EpochMetrics,
    Machine,
    Run,
    RunRecord,
    RunResult,
    RunWriter,
    SpecIdentity,
    run_path,
)
from cifar_dsl.runs.sums import file_digest

FINGERPRINT = "0123456789ab"
EPOCH = EpochMetrics(1, 0.1, 2.0, 0.25, 2.1, 0.2, 1.5, 0.5)
RESULT_OF_RUN = RunResult("finished", 0.2, 2.1, 1, 100, 1000, 2.0, 40.0)


def identity(name: str = "mine") -> SpecIdentity:
    return SpecIdentity(name, FINGERPRINT, (name, "base"), ("head = [512]",), ())


def record(name: str = "mine", seed: int = 0) -> RunRecord:
    return RunRecord(
        spec=identity(name),
        seed=seed,
        data=DataRecord("shapes", "ab" * 32, "drawn", 60, 20),
        environment=Machine("0", "2", "3", "here", "a processor", "cpu", "a processor", 1),
        started="2025-01-01T00:00:00+00:00",
    )


def write(root: Path, name: str = "mine", seed: int = 0, spec: str = "arch mine\n") -> Run:
    writer = RunWriter(run_path(root, identity(name), seed))
    writer.acquire()
    writer.start(record(name, seed), spec)
    writer.add_epoch(EPOCH)
    writer.weights.write_bytes(b"weights")
    run = writer.commit(RESULT_OF_RUN)
    writer.close()
    return run


def interrupted(place: Path, epochs: int = 3, spec: str = "arch mine\n") -> None:
    """Leave the partial run of a process that was interrupted after some epochs."""
    writer = RunWriter(place)
    writer.acquire()
    writer.start(record(seed=int(place.name.removeprefix("seed-"))), spec)
    for epoch in range(epochs):
        writer.add_checkpoint(epoch + 2, 0, b"state after epoch %d" % (epoch + 1))
        writer.add_epoch(evolve(EPOCH, epoch=epoch + 1))
    writer.close()


HOLD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from helpers.runs import record
from cifar_dsl.runs import RunWriter
writer = RunWriter(Path(sys.argv[1]))
writer.acquire()
writer.start(record(seed=int(sys.argv[1].rpartition("-")[2])), "arch mine\\n")
print("begun", flush=True)
time.sleep(float(sys.argv[3]))
"""


def holding(place: Path, seconds: float = 60) -> subprocess.Popen[str]:
    """Another process that holds the run until it is killed or the time is over."""
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", HOLD, str(place), tests, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def reseal(run: Path) -> None:
    """Give the files of a complete run the digests that they have now."""
    lines = [f"{file_digest(run / name)}  {name}\n" for name in names_below(run) if name != SUMS]
    (run / SUMS).write_text("".join(lines))


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a JSON file of a complete run as if it had been written so."""
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))
    reseal(path.parent)


def reread(entry: ComparedSpec) -> ComparedSpec:
    """A spec in a comparison with what the files of its runs hold now."""
    return evolve(entry, runs=[read_run(each.run) for each in entry.runs])


def names_below(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*"))
