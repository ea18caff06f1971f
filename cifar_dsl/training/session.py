"""One run from start to end: a checked spec and a data set become a folder of results."""

import datetime
import functools
import hashlib
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from attrs import frozen
from safetensors.torch import load_file, save
from torch import nn

from cifar_dsl.atomic import write_atomically
from cifar_dsl.backends.torch_module import build_module
from cifar_dsl.data import DataError, Dataset
from cifar_dsl.ir import Graph, Recipe, Shape
from cifar_dsl.runs import (
    DataRecord,
    Environment,
    EpochMetrics,
    Run,
    RunError,
    RunRecord,
    RunResult,
    RunWriter,
    run_path,
)
from cifar_dsl.semantics import Analysis, DataShape, analyze_text, changes
from cifar_dsl.syntax import print_spec
from cifar_dsl.training.device import Choice, processor_name
from cifar_dsl.training.images import Images, load_images
from cifar_dsl.training.loop import DivergedError, StepProgress, Trainer, evaluate
from cifar_dsl.training.plan import Plan
from cifar_dsl.version import __version__


@frozen
class Listener:
    """Who is told how training goes on."""

    on_epoch: Callable[[EpochMetrics], None] = lambda _: None
    on_step: Callable[[StepProgress], None] = lambda _: None


def train_run(
    analysis: Analysis,
    dataset: Dataset,
    *,
    root: Path,
    seed: int,
    choice: Choice,
    overrides: Sequence[str] = (),
    listener: Listener | None = None,
) -> Run:
    """Train with one seed and write the run below `root`, in place of an older one with this seed.

    Raises SpecError if the network or its recipe doesn't go with the data.
    """
    listener = listener or Listener()
    recipe = required_recipe(analysis)
    graph, name = analysis.graph, analysis.program.name.text
    images = DataShape(dataset.name, Shape(dataset.image_shape), len(dataset.classes), len(dataset.y_train))
    analysis.check_data(images)
    plan = Plan.of(recipe, len(dataset.y_train))
    spec_text = print_spec(analysis.program.as_spec())
    writer = RunWriter(run_path(root, name, analysis.fingerprint, seed))
    writer.start(
        RunRecord(
            name=name,
            fingerprint=analysis.fingerprint,
            seed=seed,
            lineage=analysis.program.lineage,
            changes=changes(analysis.program),
            overrides=tuple(overrides),
            data=data_record(dataset),
            environment=environment(choice),
            started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        ),
        spec_text,
    )
    train_images, test_images = _images(recipe, dataset, choice.device)
    trainer = Trainer(graph, recipe, name, seed, choice.device, train_images, test_images)
    history: list[EpochMetrics] = []

    def take(metrics: EpochMetrics) -> None:
        history.append(metrics)
        writer.add_epoch(metrics)
        listener.on_epoch(metrics)

    start = time.perf_counter()
    try:
        module = trainer.run(take, listener.on_step)
    except DivergedError:
        return writer.commit(_result(graph, history, time.perf_counter() - start, plan, weights=None))
    weights = {key: tensor.detach().cpu().contiguous() for key, tensor in module.state_dict().items()}
    # One entry alone: safetensors writes several in any order, and the same run should be the same bytes.
    write_atomically(writer.weights, save(weights, metadata={"spec": spec_text}))
    time_s = time.perf_counter() - start
    return writer.commit(_result(graph, history, time_s, plan, weights=writer.weights))


def evaluate_run(run: Run, dataset: Dataset, choice: Choice) -> tuple[float, float]:
    """Mean loss and accuracy of a run's weights on the test images. Raises RunError, DataError, SpecError."""
    record = run.record()
    if dataset.digest != record.data.digest:
        raise DataError(
            f"this is not the data that {run.path} was trained on",
            f"the run has {record.data.name} with digest {record.data.digest[:16]}, this is {dataset.digest[:16]}",
            (f"the run's data: {record.data.origin}",),
        )
    analysis = analyze_text(run.spec_text, str(run.path / "spec.arch"))
    if analysis.fingerprint != record.fingerprint:
        raise RunError(
            f"the spec in {run.path} means something else now than when it was trained",
            f"it was trained with cifar_dsl {record.environment.cifar_dsl}; evaluate it with that version",
        )
    recipe = required_recipe(analysis)
    _, test_images = _images(recipe, dataset, choice.device)
    module = load_weights(run, analysis).to(choice.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return evaluate(module, test_images, recipe)


def load_weights(run: Run, analysis: Analysis) -> nn.Module:
    """The trained network of a run. Raises RunError."""
    module = build_module(analysis.graph, analysis.program.name.text, seed=0)
    try:
        if run.result().weights_digest not in {None, _file_digest(run.weights)}:
            raise ValueError("the file is not the one that was written")
        module.load_state_dict(load_file(run.weights))
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise RunError(f"the weights of {run.path} can't be read: {error}", "train the spec again") from error
    except Exception as error:  # safetensors' own class derives from Exception alone
        if type(error).__name__ != "SafetensorError":
            raise
        raise RunError(f"the weights of {run.path} are damaged: {error}", "train the spec again") from error
    return module


def required_recipe(analysis: Analysis) -> Recipe:
    """The recipe of a spec that is to be trained. Raises RunError if it has none."""
    if analysis.recipe is None:
        raise RunError(
            f"`{analysis.program.name}` says no recipe, so it can be checked and shown but not trained",
            "add `train { data cifar10 ... }`, or extend a spec that has one",
        )
    return analysis.recipe


def environment(choice: Choice) -> Environment:
    """Where this process computes."""
    return Environment(
        cifar_dsl=__version__,
        torch=torch.__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        processor=processor_name(),
        device=str(choice.device),
        device_name=choice.name,
        threads=torch.get_num_threads(),
        commit=commit_of(Path(__file__).parents[1]),
    )


@functools.cache
def commit_of(package: Path) -> str | None:
    """The commit of the checkout that `package` lies in, with `-dirty` after it where files were changed."""
    if not (package.parent / ".git").exists():  # installed; any repository further up is someone else's
        return None
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=package, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def data_record(dataset: Dataset) -> DataRecord:
    """The identity of a data set, as runs keep it."""
    return DataRecord(
        name=dataset.name,
        digest=dataset.digest,
        origin=dataset.origin,
        train_images=len(dataset.y_train),
        test_images=len(dataset.y_test),
        path=str(dataset.path) if dataset.path and dataset.name == "npz" else None,
    )


def _images(recipe: Recipe, dataset: Dataset, device: torch.device) -> tuple[Images, Images]:
    return load_images(recipe, (dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test), device)


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _result(graph: Graph, history: list[EpochMetrics], time_s: float, plan: Plan, *, weights: Path | None) -> RunResult:
    training_s = sum(metrics.time_s for metrics in history)
    images = sum(plan.images_in(metrics.epoch) for metrics in history)
    return RunResult(
        status="finished" if weights else "diverged",
        accuracy=history[-1].test_accuracy if weights else None,
        loss=history[-1].test_loss if weights else None,
        epochs=plan.epochs if weights else len(history),
        parameters=graph.cost.parameters,
        macs=graph.cost.macs,
        time_s=time_s,
        images_per_s=images / training_s if training_s else 0.0,
        weights_digest=_file_digest(weights) if weights else None,
    )
