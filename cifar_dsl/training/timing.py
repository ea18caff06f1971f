"""How long a training takes on this machine, from a few real steps on random images: no dataset is needed."""

import statistics
import time
from collections.abc import Sequence
from itertools import islice

import numpy as np

from cifar_dsl.analysis.estimate import EVALUATION_BATCH
from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.ir import Graph
from cifar_dsl.ir.recipe import KeepAll
from cifar_dsl.training.artifacts import ArtifactFile, without_selection
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.device import Choice, timed
from cifar_dsl.training.engines import choose_engine
from cifar_dsl.training.evaluation import Evaluator, evaluate_together
from cifar_dsl.training.generators import generators_preserved
from cifar_dsl.training.plan import Plan
from cifar_dsl.training.trial import Trial, run_steps

_WARM_UP, _MEASURED = 3, 10  # steps
_PATIENCE_S = 20.0  # after which no further step is measured
_LEAST_STEPS = 2


@frozen
class Speed:
    """Measured times in seconds, and those of a training that follow from them.

    `step_s` is the median of `measured` steps after `warm` ones, and `slowest_s` the slowest of them.
    """

    engine: str
    step_s: float
    slowest_s: float
    warm: int
    measured: int
    steps: int  # of the whole training
    evaluation_s: float  # on all test images
    evaluated: int  # images that were evaluated to measure that
    evaluations: int  # of the whole training

    @property
    def training_s(self) -> float:
        """The time of all steps and evaluations."""
        return self.steps * self.step_s + self.evaluations * self.evaluation_s


def measure_speed(
    analysis: Analysis,
    choice: Choice,
    train_images: int,
    test_images: int,
    *,
    engine: str = "auto",
    evaluate_every: int = 1,
    artifacts: Sequence[ArtifactFile] = (),
) -> Speed:
    """Run some steps and an evaluation on random images; the dataset would have these numbers of images.

    The training would be evaluated every `evaluate_every` epochs; see `fit`.
    Ends after about 20 seconds, with as many steps as there were. A recipe that chooses images trains on all of them.
    Raises EngineError, RunError.
    """
    recipe = analysis.require_recipe()
    plan = Plan.of(recipe, train_images - recipe.validation)
    wanted = min(_WARM_UP + _MEASURED, plan.steps) * plan.images_per_step
    tests = min(test_images, 2 * EVALUATION_BATCH)
    dataset = _random_images(analysis.graph, min(train_images, wanted + recipe.validation), tests)
    chosen = choose_engine(engine, choice.device, recipe).engine
    trial = Trial.of(analysis, dataset, choice, without_selection(artifacts), evolve(recipe, keep=KeepAll()))
    learner = trial.learner(chosen)
    times: list[float] = []
    with generators_preserved(choice.device), chosen.running():
        begun = time.perf_counter()
        learner.begin_epoch()
        steps = learner.plan.steps_in(learner.epoch)
        warm = min(_WARM_UP, steps - 1)
        for done in islice(range(steps), warm + _MEASURED):
            times.append(timed(choice.device, lambda: run_steps(learner, 1)))
            if done + 1 >= _LEAST_STEPS and time.perf_counter() - begun > _PATIENCE_S:
                break
        warm = min(warm, len(times) - 1)
        learner.end_epoch()
        evaluator = Evaluator(trial.splits.test, recipe, chosen)
        if time.perf_counter() - begun < _PATIENCE_S:
            evaluate_together([evaluator], [learner.evaluated])
        evaluation_s = timed(choice.device, lambda: evaluate_together([evaluator], [learner.evaluated]))
    epochs = range(recipe.epochs_before + 1, plan.epochs_begun + 1)
    return Speed(
        engine=chosen.name,
        step_s=statistics.median(times[warm:]),
        slowest_s=max(times[warm:]),
        warm=warm,
        measured=len(times) - warm,
        steps=plan.steps_until(plan.epochs) - recipe.epochs_before * plan.steps,
        evaluation_s=evaluation_s * (test_images + recipe.validation) / tests,
        evaluated=tests,
        evaluations=sum(plan.has_evaluation(epoch, evaluate_every) for epoch in epochs),
    )


def _random_images(graph: Graph, train: int, test: int) -> Dataset:
    """Images of the network's input, and labels of its classes."""
    random = np.random.default_rng(0)
    channels, height, width = graph.input.extents
    classes = graph.shape_of(graph.output).extents[0]

    def split(count: int) -> tuple[np.ndarray, np.ndarray]:
        return random.integers(0, 256, (count, height, width, channels), np.uint8), np.arange(count) % classes

    return Dataset("random", *split(train), *split(test), tuple(map(str, range(classes))), "drawn at random")
