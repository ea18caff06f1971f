"""A training without a run folder: what tests of the loop look at."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from attrs import evolve, field, frozen
from helpers.runs import record
from torch import Tensor, nn

from cifar_dsl.compiler import analyze_text
from cifar_dsl.ir import Graph, Recipe, Standardization
from cifar_dsl.operations.recipe import ARTIFACTS
from cifar_dsl.operations.recipe.selection import Hardest
from cifar_dsl.runs import ArtifactRecord, EpochMetrics
from cifar_dsl.training.artifacts import KEPT, SelectionFile, TeacherFile, tensors_of
from cifar_dsl.training.distillation import Teacher
from cifar_dsl.training.engines import EagerEngine, Engine
from cifar_dsl.training.events import StepsDone
from cifar_dsl.training.images import Splits
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.loop import Callbacks, EpochResult, fit
from cifar_dsl.training.lowering.torch_module import build_module
from cifar_dsl.training.selection import Selected
from cifar_dsl.training.weights import packed

CPU = torch.device("cpu")


@contextmanager
def terminated_after(is_last: Callable[[Learner], bool], by: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """Within this context, a signal is sent to this process after every step for which `is_last` holds."""
    take = Learner.step

    def step(learner: Learner) -> None:
        take(learner)
        if is_last(learner):
            os.kill(os.getpid(), by)

    with mock.patch.object(Learner, "step", step):
        yield


@frozen
class Outcome:
    """What came out of one seed."""

    learner: Learner
    epochs: list[EpochResult] = field(factory=list)
    steps: list[StepsDone] = field(factory=list)
    diverged_in: list[int] = field(factory=list)  # the epoch, if it did

    @property
    def module(self) -> nn.Module:
        return self.learner.evaluated

    @property
    def weights(self) -> dict[str, Tensor]:
        return self.module.state_dict()

    @property
    def metrics(self) -> list[EpochMetrics]:
        return [epoch.metrics for epoch in self.epochs]


def meaning(text: str, overrides: Sequence[str] = ()) -> tuple[Graph, Recipe]:
    """Graph and recipe of a spec."""
    analysis = analyze_text(text, overrides=overrides)
    assert analysis.recipe is not None
    return analysis.graph, analysis.recipe


def without_idle_biases(graph: Graph) -> Graph:
    """The graph, of which two trainings may be compared with a tolerance.

    A bias right before batch norm has a gradient of nothing but rounding noise, which Adam divides by itself: how far
    two such trainings drift apart then depends on the processor. Raises AssertionError where there is one.
    """
    for node in graph.nodes:
        if node.operation.name == "bn" and (before := graph.maker(node.inputs[0])):
            assert all(parameter.kind != "bias" for parameter in before.parameters), f"{before.path} needs bias=false"
    return graph


def teacher_file(text: str, seed: int = 7, mean: float = 0.5, std: float = 0.5) -> TeacherFile:
    """A teacher with the initial weights of a spec, for images that are normalized with these constants."""
    graph = analyze_text(text).graph
    channels = graph.input.channels
    return TeacherFile(
        artifact=ARTIFACTS["teacher"](fingerprint="0123456789ab", digest="0123456789abcdef"),
        record=ArtifactRecord("teacher", "0123456789abcdef", "somewhere"),
        content=packed(build_module(graph, "teacher", seed), text),
        graph=graph,
        normalization=Standardization((mean,) * channels, (std,) * channels),
        classes=(),
    )


def selection_file(learner: Learner, **changes: Any) -> SelectionFile:
    """The images that a learner with `keep hardest(...)` chose in all its epochs; `changes` replace fields."""
    assert learner.chooser is not None
    assert isinstance(learner.recipe.keep, Hardest)
    epochs = learner.plan.epochs_begun
    content = learner.chooser.content(epochs)
    run = record("proxy", learner.seed)
    images = len(learner.images) + learner.recipe.validation
    file = SelectionFile(
        artifact=ARTIFACTS["selection"](fingerprint="0123456789ab", digest="0123456789abcdef"),
        record=ArtifactRecord("selection", "0123456789abcdef", "somewhere"),
        content=content,
        kept=bytes(tensors_of(content)[KEPT]["data"]),
        epochs=epochs,
        epochs_done=learner.plan.epochs,
        share=learner.recipe.keep.share,
        run=evolve(run, data=evolve(run.data, train_images=images)),
        recipe=learner.recipe,
    )
    return evolve(file, **changes)


def fitted(
    graph: Graph,
    recipe: Recipe,
    splits: Splits,
    seeds: Sequence[int] = (0,),
    engine: Engine | None = None,
    teacher: TeacherFile | None = None,
    selection: Selected | None = None,
) -> list[Outcome]:
    """Train these seeds together, with one teacher or selection of images."""
    engine = engine or EagerEngine(CPU)
    taught_by = Teacher(teacher, splits.test.labels.device, engine) if teacher else None
    shared = {"teacher": taught_by, "selection": selection}
    outcomes = [Outcome(Learner(graph, recipe, "network", seed, splits.train, engine, **shared)) for seed in seeds]
    of_learner = {outcome.learner: outcome for outcome in outcomes}

    def note_step(progress: StepsDone) -> None:
        for outcome in outcomes:
            outcome.steps.append(progress)

    callbacks = Callbacks(
        on_step=note_step,
        on_epoch=lambda learner, epoch: of_learner[learner].epochs.append(epoch),
        on_divergence=lambda learner: of_learner[learner].diverged_in.append(learner.epoch),
    )
    fit([outcome.learner for outcome in outcomes], splits, callbacks)
    return outcomes
