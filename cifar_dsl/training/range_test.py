"""A learning rate range test: the loss of each step while the rate rises from very small to very large.

Smith 2015, https://arxiv.org/abs/1506.01186. It writes no run; `experiments/range_test.py` reads the curve.
"""

import math
from collections.abc import Callable, Sequence

import torch

from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.records import evolve, field, frozen
from cifar_dsl.ir import Recipe, argument, declared
from cifar_dsl.ir.recipe import Group, KeepAll, NoEarlyStopping, Schedule
from cifar_dsl.operations.argument_types import Float
from cifar_dsl.training.artifacts import ArtifactFile, without_selection
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.device import Choice
from cifar_dsl.training.engines import choose_engine
from cifar_dsl.training.generators import generators_preserved
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.plan import Plan
from cifar_dsl.training.trial import Trial

_ABOVE_FIRST, _ABOVE_LOWEST = 2, 4  # times the first and the lowest mean loss: the test ends
_MEAN_STEPS = 8
_EVERY = 16  # steps between two looks at the losses on a GPU, which wait for it
_LEAST_STEPS, _MOST_STEPS = 100, 400  # by default; between them, those of an epoch


@declared
class Rise(Schedule):
    """An exponential rise from `low` to `high`, with the momentum of another schedule at its peak."""

    name = "rise"
    low: float = argument(Float(0), "factor at the start")
    high: float = argument(Float(0), "factor at the end")
    momentum: float = argument(Float(0), "momentum; 0: that of the optimizer", default=0.0)

    def factor(self, epoch: float, epochs: float) -> float:
        """The factor on the largest rate of the recipe's own schedule."""
        return self.low * math.pow(self.high / self.low, epoch / epochs)

    @property
    def sets_momentum(self) -> bool:
        """Whether the recipe's schedule does."""
        return self.momentum > 0

    def momentum_at(self, epoch: float, epochs: float) -> float:  # noqa: ARG002
        """A constant."""
        return self.momentum


@frozen
class Peak:
    """The largest factor of a schedule in a training of `epochs` epochs, and the momentum there; 0 if it sets none."""

    factor: float
    momentum: float

    @classmethod
    def of(cls, schedule: Schedule, plan: Plan) -> "Peak":
        """The peak at the steps of a plan."""
        steps = range(max(1, plan.steps_until(plan.epochs)))
        times = (step / plan.steps for step in steps)
        factor, at = max(((schedule.factor(time, plan.epochs), -time) for time in times), default=(1.0, 0.0))
        return cls(factor, schedule.momentum_at(-at, plan.epochs) if schedule.sets_momentum else 0.0)


@frozen
class RangeTest:
    """The curve of a range test: the learning rate of each step, and its mean loss over the images of the step.

    `peak` is the largest factor of the recipe's schedule: a rate of the curve is `lr` times `peak`. `ended` says why
    the last rate is the last: `diverged`, `stopped` or `complete`.
    """

    rates: tuple[float, ...] = field(repr=False)
    losses: tuple[float, ...] = field(repr=False)
    peak: float
    recipe_rate: float  # the optimizer's learning rate in the recipe
    engine: str
    steps: int  # as planned
    images_per_step: int
    ended: str


def range_test(
    analysis: Analysis,
    dataset: Dataset,
    choice: Choice,
    *,
    engine: str = "auto",
    low: float | None = None,
    high: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    artifacts: Sequence[ArtifactFile] = (),
    on_step: Callable[[int, int], None] = lambda *_: None,
    wants_stop: Callable[[], bool] = lambda: False,
) -> RangeTest:
    """Train for `steps` steps while the learning rate rises from `low` to `high`; end early when the loss explodes.

    The rates of groups rise in step with that of the recipe's optimizer. Weights are discarded. A recipe that chooses
    images learns from all of them here. By default, `low` is a
    thousandth of the recipe's largest rate, `high` a hundred times it, and `steps` are those of an epoch, from 100 to
    400. If `wants_stop`, the curve ends there. Raises RunError, EngineError.
    """
    recipe = analysis.require_recipe()
    planned = Plan.of(recipe, len(dataset.y_train) - recipe.validation)
    peak = Peak.of(recipe.schedule, planned)
    top = recipe.optimizer.lr * peak.factor
    low, high = low or top / 1000, high or 100 * top
    count = steps or min(_MOST_STEPS, max(_LEAST_STEPS, planned.steps))
    changed = _rising(recipe, planned, low / top, high / top, count / planned.steps)
    chosen = choose_engine(engine, choice.device, changed).engine
    learner = Trial.of(analysis, dataset, choice, without_selection(artifacts), changed).learner(chosen, seed)
    with generators_preserved(choice.device), chosen.running():
        losses, ended = _losses(learner, on_step, wants_stop)
    steps_done = range(len(losses))
    epochs = changed.epochs
    rates = tuple(recipe.optimizer.lr * changed.schedule.factor(step / planned.steps, epochs) for step in steps_done)
    return RangeTest(
        rates, losses, peak.factor, recipe.optimizer.lr, chosen.name, count, learner.plan.images_per_step, ended
    )


def _rising(recipe: Recipe, plan: Plan, low: float, high: float, epochs: float) -> Recipe:
    """The recipe with rates that rise from `low` to `high` times the peak of each schedule, for `epochs` epochs."""

    def rise(part: Recipe | Group) -> Rise:
        peak = Peak.of(part.schedule, plan)
        return Rise(peak.factor * low, peak.factor * high, peak.momentum)

    groups = tuple(
        evolve(group, schedule=rise(group), epochs=0 if group.epochs == 0 else None) for group in recipe.groups
    )
    return evolve(
        recipe,
        schedule=rise(recipe),
        groups=groups,
        epochs=epochs,
        average=(),
        uses=(),
        early_stopping=NoEarlyStopping(),
        keep=KeepAll(),
    )


def _losses(
    learner: Learner, on_step: Callable[[int, int], None], wants_stop: Callable[[], bool]
) -> tuple[tuple[float, ...], str]:
    """The mean loss of each step, and why the last one is the last."""
    plan, every = learner.plan, 1 if learner.device.type == "cpu" else _EVERY
    total = plan.steps_until(plan.epochs)
    sums = torch.zeros(total, device=learner.device, dtype=learner.loss_sum.dtype)
    found: list[float] = []
    images: list[int] = []
    ended = "complete"
    for epoch in range(1, plan.epochs_begun + 1):
        learner.begin_epoch()
        for _ in range(plan.steps_in(epoch)):
            prepared = learner.prepare()
            before = learner.loss_sum.clone()
            learner.engine.run([prepared])
            done = len(images)
            sums[done] = learner.loss_sum - before
            images.append(sum(plan.batches_in_step(epoch, learner.steps_done - 1)))
            on_step(done + 1, total)
            is_last = done + 1 == total or wants_stop()
            if is_last or (done + 1) % every == 0:
                new = sums[len(found) : done + 1].tolist()
                found += [loss / count for loss, count in zip(new, images[len(found) :], strict=True)]
                if (end := _explosion(found)) is not None:
                    return tuple(found[:end]), "diverged"
            if is_last:
                return tuple(found), ended if done + 1 == total else "stopped"
        learner.advance_epoch()
    return tuple(found), ended


def _explosion(losses: Sequence[float]) -> int | None:
    """The first step whose loss isn't finite, or is far above where it began and the lowest; None without one.

    Compares means that weigh the last few steps most, since the losses of small batches jump.
    """
    first, lowest, mean = 0.0, math.inf, 0.0
    for step, loss in enumerate(losses):
        if not math.isfinite(loss):
            return step
        share = max(1 / (step + 1), 1 / _MEAN_STEPS)
        mean += share * (loss - mean)
        if step < _MEAN_STEPS:
            first = mean
        elif mean > _ABOVE_FIRST * first and mean > _ABOVE_LOWEST * lowest:
            return step
        lowest = min(lowest, mean)
    return None
