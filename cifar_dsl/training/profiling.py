"""Profiles a training: the time for each phase of a step, for evaluation, and for an epoch."""

import errno
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from cifar_dsl.compiler import Analysis, mean_macs
from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.training.artifacts import ArtifactFile
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.device import Choice, peak_share, synchronize, timed
from cifar_dsl.training.engines import EagerEngine, choose_engine
from cifar_dsl.training.evaluation import Evaluator, evaluate_together
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.trial import Trial, run_steps

PHASES = ("data", "forward", "backward", "optimizer")
_WARM_UP, _TRACED = 5, 5  # steps


@frozen
class Profile:
    """Times of a training in seconds, per step unless noted otherwise."""

    engine: str
    phases: dict[str, float]  # seconds of each phase of a step, run eagerly with a wait after each phase
    eager_step_s: float
    step_s: float  # with `engine`
    recording_s: float  # to record a step, once; 0 if the engine doesn't record
    evaluation_s: float  # on all test images
    epoch_s: float  # all steps of an epoch, estimated from `step_s`
    images_per_s: float
    peak_share: float | None  # of `device.peak_macs_per_s`; None if that couldn't be measured
    trace: Path


@define
class _Stopwatch:
    """Sums the time of each phase. Waits for the device before and after."""

    device: torch.device
    seconds: dict[str, float] = field(factory=dict)

    @contextmanager
    def span(self, phase: str) -> Iterator[None]:
        synchronize(self.device)
        start = time.perf_counter()
        with record_function(phase):
            yield
        synchronize(self.device)
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time.perf_counter() - start


def profile_training(
    analysis: Analysis,
    dataset: Dataset,
    choice: Choice,
    *,
    engine: str,
    steps: int,
    trace: Path,
    artifacts: Sequence[ArtifactFile] = (),
) -> Profile:
    """Run `steps` training steps, eagerly and with `engine`, and write a trace of the launched kernels to `trace`.

    Viewers of Chrome traces, such as https://ui.perfetto.dev, open the file. The trained weights are discarded. Raises
    OSError if the trace can't be written.
    """
    device, recipe = choice.device, analysis.require_recipe()
    trial = Trial.of(analysis, dataset, choice, artifacts)
    watch = _Stopwatch(device)
    eager = trial.learner(EagerEngine(device))
    steps = max(1, min(steps, eager.plan.steps_in(1) - _WARM_UP - _TRACED))
    eager.begin_epoch()
    run_steps(eager, _WARM_UP)
    eager_step_s = timed(device, lambda: run_steps(eager, steps)) / steps
    eager.span = watch.span
    eager.steps_done = 0
    eager.begin_epoch()
    run_steps(eager, steps)
    phases = {phase: watch.seconds.get(phase, 0.0) / steps for phase in PHASES}
    _write_trace(eager, trace)

    chosen = choose_engine(engine, device, recipe).engine
    real = trial.learner(chosen)
    with chosen.running():
        real.begin_epoch()
        _, second, third = (timed(device, lambda: run_steps(real, 1)) for _ in range(3))
        step_s = timed(device, lambda: run_steps(real, steps)) / steps
        evaluator = Evaluator(trial.splits.test, recipe, chosen)
        evaluation_s = timed(device, lambda: evaluate_together([evaluator], [real.evaluated]))
    images_per_s = real.plan.images_per_step / step_s
    forward_macs = mean_macs(analysis.training_sizes, real.epoch - 1, real.epoch)
    return Profile(
        engine=chosen.name,
        phases=phases,
        eager_step_s=eager_step_s,
        step_s=step_s,
        recording_s=max(0.0, second - third) if chosen.inputs_on_device else 0.0,
        evaluation_s=evaluation_s,
        epoch_s=step_s * real.plan.steps,
        images_per_s=images_per_s,
        peak_share=peak_share(real.step_macs(forward_macs) * images_per_s, device, recipe.precision),
        trace=trace,
    )


def _write_trace(learner: Learner, path: Path) -> None:
    activities = [ProfilerActivity.CPU]
    if learner.device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)

    def named(phase: str) -> AbstractContextManager[object]:
        return record_function(phase)

    learner.span = named
    with profile(activities=activities) as profiler:
        run_steps(learner, _TRACED)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        profiler.export_chrome_trace(str(temporary))  # only logs that a file can't be written
        content = temporary.read_bytes()
    finally:
        temporary.unlink(missing_ok=True)
    if not content.rstrip().endswith(b"}"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    write_atomically(path, content)
