"""Trains runs from start to end: a checked spec, a dataset and seeds become run folders."""

import datetime
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch

from cifar_dsl.analysis import estimate
from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.foundation.text import duration, in_short
from cifar_dsl.foundation.user_folders import temporary_folder
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.runs import Run, RunIdentity, RunRecord, RunWriter, SpecIdentity, check_root, claim
from cifar_dsl.training.artifacts import (
    ArtifactFile,
    check_seeds,
    network_of_teacher,
    share_seen,
)
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.device import Choice, is_memory_error
from cifar_dsl.training.energy import start_meter
from cifar_dsl.training.engines import choose_working_engine
from cifar_dsl.training.events import Listener, Note, TrainingEnded, TrainingStarted, ignore
from cifar_dsl.training.images import Arrays, Splits, load_images, measure, normalization, whitening_of
from cifar_dsl.training.input_transform import Whitening, digest_of
from cifar_dsl.training.learner import Learner, taken_from
from cifar_dsl.training.loop import Callbacks, fit
from cifar_dsl.training.options import RunOptions
from cifar_dsl.training.provenance import data_record, this_machine
from cifar_dsl.training.recorder import Recorder
from cifar_dsl.training.used_artifacts import check_artifacts


@torch.inference_mode(mode=False)  # the caller may be in a context without gradients
@torch.enable_grad()
def train_runs(
    analysis: Analysis,
    spec: SpecIdentity,
    dataset: Dataset,
    seeds: Sequence[int],
    options: RunOptions,
    *,
    choice: Choice,
    artifacts: Sequence[ArtifactFile] = (),
    shares_device: bool = False,
    listener: Listener = ignore,
    wants_stop: Callable[[], bool] = lambda: False,
) -> list[Run]:
    """Train with these seeds, side by side, on the device of `choice`, and write the runs below `options.runs`.

    `artifacts` are those that the recipe uses. Returns complete runs that exist without training, and resumes
    interrupted ones.

    Raises:
        SpecError: The network or its recipe doesn't fit the data.
        RunError: The spec has no recipe, an artifact isn't the recipe's, or a run can't be written.
        EngineError: The engine can't run these steps.
        StoppedError: `wants_stop` returned true before the end. Checkpoints hold the progress.
    """
    recipe = analysis.require_recipe()
    analysis.check_data(dataset.data_shape)
    check_artifacts(spec.name, analysis.graph, recipe, dataset, artifacts)
    failed, noted = partial(_note_failure, listener), lambda text: listener(Note(text))
    engine = choose_working_engine(options.engine, choice.device, recipe, failed, noted).engine
    here = this_machine(choice, engine.name)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    text = print_spec(analysis.program.as_spec())
    listener(TrainingStarted(tuple(seeds), recipe.epochs))
    check_root(options.runs)
    temporary_folder()  # torch needs it
    with (
        ExitStack() as stack,
        _explain_memory_errors(analysis.graph, recipe, dataset, choice.device, artifacts),
    ):
        complete: dict[int, Run] = {}
        missing: dict[int, RunWriter] = {}
        for seed in seeds:
            identity = RunIdentity(spec, seed, dataset.digest)
            writer = claim(
                options.runs,
                identity,
                keep=options.keep_last,
                restart=options.restart,
                wait=options.wait,
                wants_stop=wants_stop,
            )
            stack.callback(writer.close)
            run = None if options.retrain else writer.find_complete(identity)
            if run:
                complete[seed] = run
            else:
                missing[seed] = writer
        check_seeds(spec.name, recipe, artifacts, missing)
        train, test = (dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)
        measured = measure(recipe, train)
        identities = {seed: RunIdentity(spec, seed, dataset.digest) for seed in missing}
        whitening = _whitening(recipe, train, {identities[seed]: writer for seed, writer in missing.items()}, listener)
        are_interrupted = {}
        for seed, writer in missing.items():
            record = RunRecord(
                spec=spec,
                seed=seed,
                data=data_record(dataset),
                environment=here,
                started=now,
                together=len(missing),
                normalization=None if recipe.normalize.is_first else normalization(recipe, measured),
                classes=dataset.classes,
                uses=tuple(one.record for one in artifacts),
                whitening=whitening.digest if whitening else None,
            )
            are_interrupted[seed] = writer.start(record, text, restart=options.restart)
            if whitening:
                writer.write_whitening(whitening.content)
        whitened = whitening.whitening if whitening else None
        splits = load_images(recipe, train, test, choice.device, measured, whitened)
        taken = taken_from(artifacts if missing else (), analysis.graph, recipe, engine, choice.device)
        recorders = []
        for seed, writer in missing.items():
            new_learner = partial(Learner, analysis.graph, recipe, spec.name, seed, splits.train, engine, *taken)
            recorder = Recorder(
                new_learner(),
                writer,
                splits,
                dataset.classes,
                text,
                analysis.training_sizes,
                listener,
                options.checkpoint_every,
                options.checkpoint_seconds,
            )
            recorder.prepared_s = whitening.time_s if whitening else 0.0
            if are_interrupted[seed]:
                recorder.resume(now, new_learner)
            recorders.append(recorder)
        for group in _side_by_side(recorders):
            with _metered(group, choice.device, shares_device=shares_device):
                _train(group, splits, options.evaluate_every, listener, wants_stop)
                complete |= {recorder.writer.record.seed: recorder.commit() for recorder in group}
    runs = [complete[seed] for seed in seeds]
    listener(TrainingEnded(tuple(str(run.path) for run in runs)))
    return runs


def _note_failure(listener: Listener, reason: str) -> None:
    listener(Note(f"recording a step as a CUDA graph failed ({reason}); steps run one by one, which takes longer"))


@frozen
class _FittedWhitening:
    """A whitening, its file with the digest, and the seconds it took to fit: 0 if an interrupted run had it."""

    whitening: Whitening
    content: bytes = field(repr=False)
    digest: str
    time_s: float


def _whitening(
    recipe: Recipe, train: Arrays, runs: Mapping[RunIdentity, RunWriter], listener: Listener
) -> _FittedWhitening | None:
    """The whitening of the training images: that of an interrupted run, so that it resumes exactly, or a new one.

    Seeds that train together share it. None if the recipe doesn't whiten, or nothing is to train.
    """
    if not recipe.normalize.is_whitening or not runs:
        return None
    saved = (writer.saved_whitening(identity) for identity, writer in runs.items())
    content = next((content for content in saved if content is not None), None)
    if content is not None:
        return _FittedWhitening(Whitening.from_bytes(content), content, digest_of(content), 0.0)
    start = time.perf_counter()
    whitening = whitening_of(recipe, train)
    assert whitening is not None
    time_s = time.perf_counter() - start
    listener(Note(f"the whitening of {len(train[0]) - recipe.validation:,} images took {duration(time_s)}"))
    content = whitening.to_bytes()
    return _FittedWhitening(whitening, content, digest_of(content), time_s)


def _side_by_side(recorders: list[Recorder]) -> list[list[Recorder]]:
    """Groups of recorders whose learners are at the same step."""
    groups: dict[tuple[int, int], list[Recorder]] = {}  # by (epoch, steps_done)
    for recorder in recorders:
        learner = recorder.learner
        groups.setdefault((learner.epoch, learner.steps_done), []).append(recorder)
    return list(groups.values())


@contextmanager
def _metered(recorders: list[Recorder], device: torch.device, *, shares_device: bool) -> Iterator[None]:
    """Measure the energy that the device uses, in equal shares for all recorders; not if others use it too."""
    meter = None if shares_device else start_meter(device)
    if meter is None:
        yield
        return

    def share_j() -> float | None:
        energy_j = meter.read_j()
        return None if energy_j is None else energy_j / len(recorders)

    for recorder in recorders:
        recorder.energy_j = share_j
    try:
        yield
    finally:
        meter.stop()


def _train(
    recorders: list[Recorder],
    splits: Splits,
    evaluate_every: int,
    listener: Listener,
    wants_stop: Callable[[], bool],
) -> None:
    # A process may have been interrupted between the last epoch and the end of the run.
    recorder_of = {recorder.learner: recorder for recorder in recorders if not recorder.is_over}
    if not recorder_of:
        return
    callbacks = Callbacks(
        on_step=listener,
        on_epoch=lambda learner, epoch: recorder_of[learner].record_epoch(epoch),
        is_over=lambda learner: recorder_of[learner].is_over,
        on_divergence=lambda learner: recorder_of[learner].mark_diverged(),
        wants_stop=wants_stop,
        on_stop=lambda learner: recorder_of[learner].save_checkpoint(),
    )
    fit(list(recorder_of), splits, callbacks, evaluate_every)


@contextmanager
def _explain_memory_errors(
    graph: Graph, recipe: Recipe, dataset: Dataset, device: torch.device, artifacts: Sequence[ArtifactFile]
) -> Iterator[None]:
    """Turn out-of-memory errors into a UserError with advice. The batch never shrinks silently."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_memory_error(error):
            raise
        images = len(dataset.y_train) + len(dataset.y_test)
        teacher, share = network_of_teacher(artifacts), share_seen(artifacts)
        raise UserError(
            "the device has too little memory for this training, which takes about "
            + in_short(estimate(graph, recipe, images, device.type, teacher, share)["total"], "B")
            + " a seed",
            f"use a smaller batch: --set train.batch={max(1, recipe.batch // 2)} (this changes the recipe); with "
            f"--set train.accumulate={2 * recipe.accumulate} as well, steps stay as large",
            "or use `--set train.precision=bf16`, or train fewer seeds at once",
            "`--dry-run` shows how much memory a training needs",
            reason=str(error).partition("\n")[0],
        ) from error
