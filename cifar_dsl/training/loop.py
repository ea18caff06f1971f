"""The training loop. Only the recipe, the seed and the images decide the result."""

import math
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

import torch

from cifar_dsl.foundation.errors import StoppedError
from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.runs import EpochMetrics, ExitMetrics
from cifar_dsl.training.convolutions import tuned_convolutions
from cifar_dsl.training.engines import Engine, has_random_layers
from cifar_dsl.training.evaluation import EvaluationResult, Evaluator, evaluate_together
from cifar_dsl.training.events import StepsDone
from cifar_dsl.training.generators import generators_preserved
from cifar_dsl.training.images import Images, Splits
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.precision import float32_products


@frozen
class EpochResult:
    """The metrics of an epoch, and the evaluations after it on the test and validation images, if there were any."""

    metrics: EpochMetrics
    test: EvaluationResult | None
    validation: EvaluationResult | None


@frozen
class Callbacks:
    """Functions that `fit` calls while it trains.

    `on_epoch` runs when the learner is at the start of its next epoch. A learner that `is_over` then trains no further.
    `on_divergence` runs when a learner's loss becomes NaN or infinite, in its `epoch`; it trains no further either. If
    `wants_stop` returns true, training stops after the step, and `on_stop` runs for each learner.
    """

    on_step: Callable[[StepsDone], None] = lambda _: None
    on_epoch: Callable[[Learner, EpochResult], None] = lambda *_: None
    is_over: Callable[[Learner], bool] = lambda _: False
    on_divergence: Callable[[Learner], None] = lambda _: None
    wants_stop: Callable[[], bool] = lambda: False
    on_stop: Callable[[Learner], None] = lambda _: None


def fit(learners: Sequence[Learner], splits: Splits, callbacks: Callbacks, evaluate_every: int = 1) -> None:
    """Train networks side by side, to the end of their recipe. Raises StoppedError if `callbacks` stops the training.

    They are evaluated on the test images as `Plan.has_evaluation` says of `evaluate_every`.

    The learners share recipe, engine and images, are at the same step, and differ in their seeds. Random numbers are
    functions of (seed, epoch); torch's own generators keep their states.
    """
    _Fit(list(learners), splits, callbacks, evaluate_every).run()


@define
class _Fit:
    learners: list[Learner]  # those still in training
    splits: Splits
    callbacks: Callbacks
    evaluate_every: int
    _engine: Engine = field(init=False)
    _tests: dict[int, Evaluator] = field(init=False)  # by seed
    _validations: dict[int, Evaluator] = field(init=False)
    _divergence: "_DivergenceCheck" = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._engine = self.learners[0].engine
        self._tests = self._evaluators(self.splits.test)
        self._validations = self._evaluators(self.splits.validation)
        self._divergence = _DivergenceCheck(self.learners[0].device)

    def run(self) -> None:
        first = self.learners[0]
        if len(self.learners) > 1 and has_random_layers(first.graph):
            for learner in self.learners:
                learner.share_generator()
        device, steps = first.device, first.plan.steps_until(first.plan.epochs)
        with (
            generators_preserved(device),
            float32_products(device),
            tuned_convolutions(device, steps),
            self._engine.running(),
        ):
            while self.learners and first.epoch <= first.plan.epochs_begun:
                self._train_epoch()
                self._finish_epoch()
                first = (self.learners or [first])[0]

    def _evaluators(self, images: Images | None) -> dict[int, Evaluator]:
        """An evaluator for each seed; none without images."""
        if images is None:
            return {}
        return {learner.seed: Evaluator(images, learner.recipe, self._engine) for learner in self.learners}

    def _train_epoch(self) -> None:
        first = self.learners[0]
        epoch, plan = first.epoch, first.plan
        steps = plan.steps_in(epoch)
        begun = time.perf_counter()
        for learner in self.learners:
            learner.begin_epoch()
        for step in range(first.steps_done, steps):
            self._engine.run([learner.prepare() for learner in self.learners])
            self._drop(self._divergence.diverged(self.learners))
            self.callbacks.on_step(StepsDone(epoch, plan.epochs, step + 1, steps))
            if not self.learners:
                return
            if self.callbacks.wants_stop() and step + 1 < steps:  # after the last step, the epoch ends first
                self._count_time(begun)
                self._stop()
        self._drop([learner for learner in self.learners if not math.isfinite(learner.loss_sum.item())])
        self._count_time(begun)

    def _finish_epoch(self) -> None:
        learners = self.learners
        trained = {learner.seed: learner.end_epoch() for learner in learners}
        begun = time.perf_counter()
        tested = self._evaluate(self._tests) if self._is_evaluation_due else {}
        validated = self._evaluate(self._validations)
        evaluation_s = (time.perf_counter() - begun) / max(1, len(learners))
        # The last step may have ruined the weights although its loss was finite.
        self._drop([one for one in learners if one.seed in tested and not tested[one.seed].is_finite])
        for learner in self.learners:
            (loss, accuracy), test, validation = (
                trained[learner.seed],
                tested.get(learner.seed),
                validated.get(learner.seed),
            )
            metrics = EpochMetrics(
                epoch=learner.epoch,
                lr=learner.rate,
                train_loss=loss,
                train_accuracy=accuracy,
                test_loss=test.loss if test else None,
                test_accuracy=test.accuracy if test else None,
                time_s=learner.epoch_time_s,
                evaluation_time_s=evaluation_s,
                validation_loss=validation.loss if validation else None,
                validation_accuracy=validation.accuracy if validation else None,
                test_cross_entropy=test.cross_entropy if test else None,
                validation_cross_entropy=validation.cross_entropy if validation else None,
                exits=tuple(
                    ExitMetrics(exit_.name, *means)
                    for exit_, means in zip(learner.outputs[1:], learner.exit_means(), strict=True)
                ),
            )
            learner.advance_epoch()
            self.callbacks.on_epoch(learner, EpochResult(metrics, test, validation))
        for learner in filter(self.callbacks.is_over, list(self.learners)):
            self._leave(learner)
        has_more = self.learners and self.learners[0].epoch <= self.learners[0].plan.epochs_begun
        if has_more and self.callbacks.wants_stop():
            self._stop()

    @property
    def _is_evaluation_due(self) -> bool:
        """Whether to evaluate on the test images after the current epoch."""
        if not self.learners:
            return False
        first = self.learners[0]
        return first.plan.has_evaluation(first.epoch, self.evaluate_every)

    def _stop(self) -> NoReturn:
        for learner in self.learners:
            self.callbacks.on_stop(learner)
        raise StoppedError

    def _evaluate(self, evaluators: dict[int, Evaluator]) -> dict[int, EvaluationResult]:
        """The result of each seed that still trains."""
        if not evaluators or not self.learners:
            return {}
        seeds = [learner.seed for learner in self.learners]
        modules = [learner.evaluated for learner in self.learners]
        return dict(zip(seeds, evaluate_together([evaluators[seed] for seed in seeds], modules), strict=True))

    def _count_time(self, begun: float) -> None:
        """Add the time since `begun`, in seconds, in equal shares to all learners."""
        for learner in self.learners:
            learner.epoch_time_s += (time.perf_counter() - begun) / len(self.learners)

    def _drop(self, diverged: list[Learner]) -> None:
        for learner in diverged:
            self._leave(learner)
            self.callbacks.on_divergence(learner)

    def _leave(self, learner: Learner) -> None:
        self.learners.remove(learner)
        for owner in (learner, self._tests.get(learner.seed), self._validations.get(learner.seed)):
            self._engine.release(owner)


class _DivergenceCheck:
    """Finds learners whose loss is NaN or infinite: after every step, or on a GPU without waiting for it.

    On a GPU, the sums are copied to the host every few steps and checked once the copy is complete. A sum that isn't
    finite stays so, so no divergence is missed.
    """

    _EVERY = 16  # steps

    def __init__(self, device: torch.device) -> None:
        self._is_asynchronous = device.type == "cuda"
        self._steps = 0
        self._copied: torch.cuda.Event | None = None
        self._sums: list[tuple[Learner, torch.Tensor]] = []

    def diverged(self, learners: list[Learner]) -> list[Learner]:
        """The learners whose loss is known to be NaN or infinite."""
        if not self._is_asynchronous:
            return [learner for learner in learners if not math.isfinite(learner.loss_sum.item())]
        self._steps += 1
        if self._steps % self._EVERY:
            return []
        diverged: list[Learner] = []
        if self._copied is not None:
            if not self._copied.query():  # type: ignore[no-untyped-call]
                return []
            diverged = [one for one, total in self._sums if one in learners and not math.isfinite(total.item())]
        self._sums = [(one, one.loss_sum.detach().to("cpu", non_blocking=True)) for one in learners]
        self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._copied.record()
        return diverged
