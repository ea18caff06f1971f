"""The training loop. The recipe and the seed decide the result; nothing else does."""

import math
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

import torch
from attrs import define, field

from cifar_dsl.foundation.errors import StoppedError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import EpochMetrics
from cifar_dsl.training.engines import Engine, draws_at_random
from cifar_dsl.training.evaluation import Evaluation, Measured, measure
from cifar_dsl.training.events import StepsDone
from cifar_dsl.training.generators import generators_kept
from cifar_dsl.training.images import Splits
from cifar_dsl.training.learner import Learner


@frozen
class Epoch:
    """What an epoch gave; `test` and `validation` are what was measured after it."""

    metrics: EpochMetrics
    test: Measured
    validation: Measured | None


@frozen
class Watcher:
    """Who is told how training goes on, and may stop it.

    `on_epoch` is called when the learner stands at the beginning of its next epoch. A learner of which
    `on_divergence` tells trains no further; its `epoch` is the one in which the loss was no finite number. When
    `wants_stop`, training stops after the step, and `on_stop` is told where each learner stands.
    """

    on_step: Callable[[StepsDone], None] = lambda _: None
    on_epoch: Callable[[Learner, Epoch], None] = lambda *_: None
    on_divergence: Callable[[Learner], None] = lambda _: None
    wants_stop: Callable[[], bool] = lambda: False
    on_stop: Callable[[Learner], None] = lambda _: None


def fit(learners: Sequence[Learner], splits: Splits, watcher: Watcher) -> None:
    """Train networks side by side, from where they all stand to the end of their recipe. Raises StoppedError.

    They have one recipe, one engine and the same images, and differ in their seeds. Random streams are functions of
    (seed, epoch), and torch's own generators are left as they were.
    """
    _Fit(list(learners), splits, watcher).run()


@define
class _Fit:
    learners: list[Learner]  # those that still train
    splits: Splits
    watcher: Watcher
    _engine: Engine = field(init=False)
    _guard: "_Guard" = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._engine = self.learners[0].engine
        self._guard = _Guard(self.learners[0].device)

    def run(self) -> None:
        first = self.learners[0]
        if len(self.learners) > 1 and draws_at_random(first.graph):
            for learner in self.learners:
                learner.share_generator()
        tests = self._evaluations("test")
        validations = self._evaluations("validation")
        with generators_kept(first.device), self._engine.running():
            while self.learners and first.epoch <= first.plan.epochs_begun:
                self._train_epoch()
                self._finish_epoch(tests, validations)
                first = (self.learners or [first])[0]

    def _evaluations(self, split: str) -> dict[int, Evaluation]:
        images = self.splits.validation if split == "validation" else self.splits.test
        if images is None:
            return {}
        return {learner.seed: Evaluation(images, learner.recipe, self._engine) for learner in self.learners}

    def _train_epoch(self) -> None:
        first = self.learners[0]
        epoch, plan = first.epoch, first.plan
        steps = plan.steps_in(epoch)
        begun = time.perf_counter()
        for learner in self.learners:
            learner.begin_epoch()
        for step in range(first.steps_done, steps):
            variant = tuple(learner.prepare() for learner in self.learners)
            seeds = tuple(learner.seed for learner in self.learners)
            self._engine.run(("train", seeds, variant), [learner.step for learner in self.learners])
            self._drop(self._guard.diverged(self.learners))
            self.watcher.on_step(StepsDone(epoch, plan.epochs, step + 1, steps))
            if not self.learners:
                return
            if self.watcher.wants_stop() and step + 1 < steps:  # the end of an epoch is a better place
                self._count_time(begun)
                self._stop()
        self._drop([learner for learner in self.learners if not math.isfinite(learner.loss_sum.item())])
        self._count_time(begun)

    def _finish_epoch(self, tests: dict[int, Evaluation], validations: dict[int, Evaluation]) -> None:
        learners = self.learners
        trained = {learner.seed: learner.end_epoch() for learner in learners}
        begun = time.perf_counter()
        tested = self._measured(tests)
        validated = self._measured(validations)
        evaluation_s = (time.perf_counter() - begun) / max(1, len(learners))
        # The last steps may have spoilt weights whose loss was still a number.
        self._drop([learner for learner in learners if not math.isfinite(tested[learner.seed].loss)])
        for learner in self.learners:
            (loss, accuracy), test, validation = (
                trained[learner.seed],
                tested[learner.seed],
                validated.get(learner.seed),
            )
            metrics = EpochMetrics(
                epoch=learner.epoch,
                lr=learner.rate,
                train_loss=loss,
                train_accuracy=accuracy,
                test_loss=test.loss,
                test_accuracy=test.accuracy,
                time_s=learner.spent_s,
                evaluation_time_s=evaluation_s,
                validation_loss=validation.loss if validation else None,
                validation_accuracy=validation.accuracy if validation else None,
            )
            learner.advance_epoch()
            self.watcher.on_epoch(learner, Epoch(metrics, test, validation))
        if self.learners and self.watcher.wants_stop() and self.learners[0].epoch <= self.learners[0].plan.epochs_begun:
            self._stop()

    def _stop(self) -> NoReturn:
        for learner in self.learners:
            self.watcher.on_stop(learner)
        raise StoppedError

    def _measured(self, evaluations: dict[int, Evaluation]) -> dict[int, Measured]:
        if not evaluations or not self.learners:
            return {}
        seeds = [learner.seed for learner in self.learners]
        measured = measure([evaluations[seed] for seed in seeds], [learner.tested for learner in self.learners])
        return dict(zip(seeds, measured, strict=True))

    def _count_time(self, begun: float) -> None:
        """Each of several learners has its share of the time that they trained together."""
        for learner in self.learners:
            learner.spent_s += (time.perf_counter() - begun) / len(self.learners)

    def _drop(self, diverged: list[Learner]) -> None:
        for learner in diverged:
            self.learners.remove(learner)
            self.watcher.on_divergence(learner)


class _Guard:
    """Looks whether losses are still finite: after every step, or on a GPU as often as it can without waiting.

    There the sums are copied to the host now and then, and looked at when they have arrived. Once a sum isn't finite
    it stays so.
    """

    _EVERY = 16  # steps

    def __init__(self, device: torch.device) -> None:
        self._waits = device.type == "cuda"
        self._steps = 0
        self._arrived: torch.cuda.Event | None = None
        self._sums: list[tuple[Learner, torch.Tensor]] = []

    def diverged(self, learners: list[Learner]) -> list[Learner]:
        """Those whose loss is known not to be a finite number."""
        if not self._waits:
            return [learner for learner in learners if not math.isfinite(learner.loss_sum.item())]
        self._steps += 1
        if self._steps % self._EVERY:
            return []
        found: list[Learner] = []
        if self._arrived is not None:
            if not self._arrived.query():  # type: ignore[no-untyped-call]
                return []
            found = [one for one, total in self._sums if one in learners and not math.isfinite(total.item())]
        self._sums = [(one, one.loss_sum.detach().to("cpu", non_blocking=True)) for one in learners]
        self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._arrived.record()
        return found
