"""A whole study of the shipped specs as folders of runs, as if it had been trained: for tests of reports."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from attrs import frozen
from helpers.runs import reseal

from cifar_dsl import api
from cifar_dsl.compiler import Analysis
from cifar_dsl.experiments.comparison import ComparedSpec, read_run
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.runs import (
    PREDICTIONS,
    DataRecord,
    EpochMetrics,
    Machine,
    Run,
    RunRecord,
    RunResult,
    RunWriter,
    run_path,
)
from cifar_dsl.runs.predictions import write_predictions

CLASSES = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
IMAGES = 400
EPOCHS = 10

# Mean accuracy, standard deviation, seconds, and how many of the runs diverge.
_TRUTH = {
    "baseline": (0.719, 0.004, 260, 0),
    "wider": (0.729, 0.005, 336, 0),
    "deeper": (0.7195, 0.009, 311, 0),
    "batchnorm_before": (0.7548, 0.004, 275, 0),
    "batchnorm_after": (0.7395, 0.006, 307, 0),
    "residual": (0.799, 0.005, 1334, 0),
    "gradient_clipping": (0.716, 0.004, 278, 0),
    "batch_128": (0.706, 0.004, 373, 2),
}


@frozen
class Study:
    """The specs with their runs, what they mean, and the test images."""

    entries: tuple[ComparedSpec, ...]
    analyses: dict[str, Analysis]
    pictures: np.ndarray  # (N, H, W, C)


def make_study(folder: Path, *, seeds: int = 5, specs: Sequence[str] = tuple(_TRUTH)) -> Study:
    """Write the runs below `folder`; the same every time."""
    draw = np.random.default_rng(7)
    labels = np.arange(IMAGES) % len(CLASSES)
    difficulty = draw.uniform(size=IMAGES)
    entries, analyses = [], {}
    for name in specs:
        spec = api.load(specs_directory() / f"{name}.arch")
        analyses[spec.fingerprint] = spec.analysis
        mean, deviation, time_s, diverging = _TRUTH[name]
        taste = draw.normal(0, 0.15, IMAGES)  # what a spec finds harder than others do
        runs = []
        for seed in range(seeds):
            accuracy = None if seed < diverging else round(float(draw.normal(mean, deviation)), 4)
            run = _write_run(folder, spec, seed, accuracy, time_s * float(draw.uniform(0.95, 1.05)), draw)
            if accuracy is not None:
                is_right = difficulty + taste + draw.normal(0, 0.12, IMAGES) < accuracy
                wrong = (labels + draw.choice([2, 3, 5, 7], IMAGES)) % len(CLASSES)
                write_predictions(
                    run.path / PREDICTIONS,
                    labels=labels,
                    predicted=np.where(is_right, labels, wrong),
                    truth_probability=np.where(is_right, 0.8, 0.1) + draw.uniform(0, 0.1, IMAGES),
                    classes=CLASSES,
                )
                reseal(run.path)
            runs.append(read_run(run))
        cost = spec.graph.cost
        entries.append(ComparedSpec(name, spec.identity, cost.parameters, cost.macs, tuple(runs)))
    return Study(tuple(entries), analyses, _pictures(labels))


def _write_run(
    folder: Path, spec: api.Spec, seed: int, accuracy: float | None, time_s: float, draw: np.random.Generator
) -> Run:
    writer = RunWriter(run_path(folder, spec.identity, seed))
    data = DataRecord("cifar10", "c1" * 32, "written for a test", 50_000, 10_000)
    environment = Machine("0.1.0", "2.11.0", "3.11.7", "Linux", "a processor", "cpu", "a processor", 1)
    record = RunRecord(spec.identity, seed, data, environment, "2025-01-01T00:00:00+00:00")
    writer.acquire()
    writer.start(record, spec.text)
    for epoch in range(1, EPOCHS + 1 if accuracy else 4):
        level = (accuracy or 0.3) * (1 - 0.55 * 0.62**epoch) + float(draw.normal(0, 0.006))
        metrics = EpochMetrics(epoch, 1e-3, 1.5 / epoch, level + 0.02, 1.6 / epoch, level, time_s / EPOCHS, 1.0)
        writer.add_epoch(metrics)
    status = "finished" if accuracy else "diverged"
    loss = 0.8 if accuracy else None
    cost = spec.graph.cost
    if accuracy:
        writer.weights.write_bytes(b"weights")
    return writer.commit(RunResult(status, accuracy, loss, EPOCHS, cost.parameters, cost.macs, time_s, 2000.0))


def _pictures(labels: np.ndarray) -> np.ndarray:
    """A gradient in each class's own colour, with a square somewhere."""
    draw = np.random.default_rng(3)
    colours = draw.integers(60, 250, (len(CLASSES), 3))
    ramp = np.linspace(0.4, 1.0, 32)[None, :, None, None]
    pictures = (colours[labels][:, None, None, :] * ramp).repeat(32, axis=2)
    for picture, (row, column) in zip(pictures, draw.integers(2, 18, (len(labels), 2)), strict=True):
        picture[row : row + 12, column : column + 12] = draw.integers(0, 255, 3)
    return pictures.astype(np.uint8)
