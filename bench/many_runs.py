"""The time of `compare` and `runs` as the number of runs grows.

    python bench/many_runs.py [--rounds 3] [--specs 5 25 100] [--runs 1000 5000 20000]

Claims: a comparison of 100 specs with 20 seeds each takes at most 5 s without its report and 8 s with it, and `runs`
lists 20,000 runs in at most 3 s; with more runs, none takes longer.

The runs are written here, not trained: ten epochs each, and predictions for 10,000 images. The fastest of `--rounds`
counts, since disturbances only make a command slower.
"""

import argparse
import itertools
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from attrs import define, evolve
from measure import child, hardware, verdict

from cifar_dsl import api
from cifar_dsl.runs import DataRecord, EpochMetrics, Machine, RunRecord, RunResult, RunWriter, SpecIdentity, run_path
from cifar_dsl.runs.predictions import write_predictions

SEEDS, EPOCHS, IMAGES = 20, 10, 10_000
DATA = DataRecord("cifar10", "ab" * 32, "written by a benchmark", 50_000, IMAGES)
MACHINE = Machine("0", "2", "3", "here", "a processor", "cpu", "a processor", 1)
CLASSES = tuple(f"class {number}" for number in range(10))


def write_specs(folder: Path, count: int) -> "list[api.Spec]":
    """A base and variants of it, each with another width of the head."""
    folder.mkdir()
    shutil.copy(Path("specs/baseline.arch"), folder)
    for number in range(1, count):
        text = f'arch wide_{number} extends "baseline.arch"\n\nparam head = [{64 + number}]\n'
        (folder / f"wide_{number}.arch").write_text(text)
    return [api.load(path) for path in sorted(folder.glob("*.arch"))]


@define
class Writer:
    """Writes complete runs, with accuracies of about 0.7."""

    root: Path
    draw: np.random.Generator
    count: int = 0

    def write(self, identity: SpecIdentity, spec: "api.Spec") -> None:
        """Write the next seed."""
        labels = np.arange(IMAGES) % len(CLASSES)
        is_wrong = self.draw.random(IMAGES) < 0.3 + 0.005 * self.draw.standard_normal()
        predicted = (labels + is_wrong * self.draw.integers(1, len(CLASSES), IMAGES)) % len(CLASSES)
        certainty = np.where(is_wrong, 0.2, 0.8) + 0.1 * self.draw.random(IMAGES)
        accuracy = float((predicted == labels).mean())
        seed = self.count % SEEDS
        writer = RunWriter(run_path(self.root, identity, seed))
        writer.acquire()
        writer.start(RunRecord(identity, seed, DATA, MACHINE, "2025-01-01T00:00:00+00:00"), spec.text)
        for epoch in range(1, EPOCHS + 1):
            share = epoch / EPOCHS
            writer.add_epoch(EpochMetrics(epoch, 0.1, 2 - share, 0.7 * share, 2 - share, accuracy * share, 8.0, 0.5))
        writer.weights.write_bytes(b"weights")
        write_predictions(
            writer.predictions, labels=labels, predicted=predicted, truth_probability=certainty, classes=CLASSES
        )
        cost = spec.graph.cost
        writer.commit(RunResult("finished", accuracy, 1.0, EPOCHS, cost.parameters, cost.macs, 80.0, 6000.0))
        writer.close()
        self.count += 1


def compared(folder: Path, count: int, rounds: int) -> tuple[float, float]:
    """Seconds of a comparison of the first specs, without its report and with it."""
    names = [f"specs/wide_{number}.arch" for number in range(1, count)]
    command = ["-m", "cifar_dsl", "compare", "specs/baseline.arch", *names, "--no-train", "--out", "results"]
    return fastest([*command, "--no-report"], folder, rounds), fastest(command, folder, rounds)


def fastest(command: Sequence[str], folder: Path, rounds: int) -> float:
    """Seconds of the fastest of some processes."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        child(list(command), folder=folder)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--specs", type=int, nargs="+", default=[5, 25, 100], help=f"with {SEEDS} seeds each")
    parser.add_argument("--runs", type=int, nargs="+", default=[1000, 5000, 20_000], help="to list")
    options = parser.parse_args()
    print(f"{hardware()}\n")
    claims: dict[str, bool] = {}
    os.fsync = lambda _: None  # writing the runs isn't measured
    draw = np.random.default_rng(0)
    with TemporaryDirectory() as name:
        folder = Path(name)
        specs = write_specs(folder / "specs", max(options.specs))
        compared_runs = Writer(folder / "runs", draw)
        for spec in specs:
            for _ in range(SEEDS):
                compared_runs.write(spec.identity, spec)
        times: dict[str, dict[int, float]] = {"compare": {}, "compare with the report": {}, "runs": {}}
        for count in sorted(options.specs):
            plain, full = compared(folder, count, options.rounds)
            times["compare"][count * SEEDS], times["compare with the report"][count * SEEDS] = plain, full
            print(
                f"compare {count} specs, {count * SEEDS:,} runs: {plain:.2f} s, with the report {full:.2f} s",
                flush=True,
            )
            if count == 100:
                claims["100 specs with 20 seeds each: at most 5 s without the report"] = plain <= 5
                claims["100 specs with 20 seeds each: at most 8 s with it"] = full <= 8
        others = Writer(folder / "many", draw)
        for count in sorted(options.runs):
            while others.count < count:
                others.write(evolve(specs[0].identity, fingerprint=f"{others.count // SEEDS:012x}"), specs[0])
            seconds = times["runs"][count] = fastest(
                ["-m", "cifar_dsl", "runs", "--runs", "many"], folder, options.rounds
            )
            print(f"runs, {count:,} of them: {seconds:.2f} s", flush=True)
            if count == 20_000:
                claims["20,000 runs are listed in at most 3 s"] = seconds <= 3
    for name, by_count in times.items():
        for (fewer, short), (more, long) in itertools.pairwise(by_count.items()):
            claims[f"{name}: {more:,} runs take at most 1.1 times as long for each as {fewer:,}"] = (
                long / more <= 1.1 * short / fewer
            )
    return verdict(claims)


if __name__ == "__main__":
    sys.exit(main())
