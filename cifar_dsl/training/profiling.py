"""Where the time of a training goes."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import torch
from attrs import define, field
from torch.profiler import ProfilerActivity, profile, record_function

from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.records import frozen
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.device import Choice, peak_macs_per_s, synchronize, timed
from cifar_dsl.training.engines import Eager, choose_engine
from cifar_dsl.training.evaluation import Evaluation, measure
from cifar_dsl.training.images import load_images
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.requirements import required_recipe

PHASES = ("data", "forward", "backward", "optimizer")
_WARM_UP, _TRACED = 5, 5  # steps


@frozen
class Profile:
    """Seconds: of each phase of a step that is run eagerly, of such a step, and of one as it is really run.

    `recording_s` is what recording a step takes once, 0 where nothing is recorded; `evaluation_s` is an evaluation on
    all test images, and `epoch_s` what an epoch's steps will take. `peak_share`: see `device.peak_macs_per_s`.
    """

    engine: str
    phases: dict[str, float]
    eager_step_s: float
    step_s: float
    recording_s: float
    evaluation_s: float
    epoch_s: float
    images_per_s: float
    peak_share: float
    trace: Path


@define
class _Stopwatch:
    """Sums the time between begin and end of each phase, waiting for the device at both."""

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
    analysis: Analysis, dataset: Dataset, choice: Choice, *, engine: str, steps: int, trace: Path
) -> Profile:
    """Train so many steps, eagerly and as the engine does, and write what was launched when to `trace`.

    The file is for the viewers of Chrome traces, as https://ui.perfetto.dev. Nothing of the training is kept.
    """
    device, recipe, graph = choice.device, required_recipe(analysis), analysis.graph
    name = analysis.program.name.text
    splits = load_images(recipe, (dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test), device)
    watch = _Stopwatch(device)
    eager = Learner(graph, recipe, name, 0, splits.train, Eager(device))
    steps = max(1, min(steps, eager.plan.steps_in(1) - _WARM_UP - _TRACED))
    eager.begin_epoch()
    _take(eager, _WARM_UP)
    eager_step_s = timed(device, lambda: _take(eager, steps)) / steps
    eager.span = watch.span
    eager.steps_done = 0
    eager.begin_epoch()
    _take(eager, steps)
    phases = {phase: watch.seconds.get(phase, 0.0) / steps for phase in PHASES}
    _write_trace(eager, trace)

    chosen = choose_engine(engine, device, graph, recipe).engine
    real = Learner(graph, recipe, name, 0, splits.train, chosen)
    with chosen.running():
        real.begin_epoch()
        _, second, third = (timed(device, lambda: _take(real, 1)) for _ in range(3))
        step_s = timed(device, lambda: _take(real, steps)) / steps
        evaluation = Evaluation(splits.test, recipe, chosen)
        evaluation_s = timed(device, lambda: measure([evaluation], [real.tested]))
    images_per_s = recipe.batch / step_s
    share = 3 * graph.cost.macs * images_per_s / peak_macs_per_s(device, recipe.precision)  # backward counts twice
    return Profile(
        engine=chosen.name,
        phases=phases,
        eager_step_s=eager_step_s,
        step_s=step_s,
        recording_s=max(0.0, second - third) if chosen.is_recorded else 0.0,
        evaluation_s=evaluation_s,
        epoch_s=step_s * real.plan.steps,
        images_per_s=images_per_s,
        peak_share=share,
        trace=trace,
    )


def _take(learner: Learner, steps: int) -> None:
    for _ in range(min(steps, learner.plan.steps_in(learner.epoch) - learner.steps_done)):
        learner.engine.run(learner.prepare(), [learner.step])


def _write_trace(learner: Learner, path: Path) -> None:
    activities = [ProfilerActivity.CPU]
    if learner.device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)

    def named(phase: str) -> AbstractContextManager[object]:
        return record_function(phase)

    learner.span = named
    with profile(activities=activities) as profiler:
        _take(learner, _TRACED)
    profiler.export_chrome_trace(str(path))
