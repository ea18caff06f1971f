"""One seed's training as its run on disk: begun or gone on with, kept up to date, completed."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.runs import Best, EpochMetrics, Resumption, Run, RunResult, RunWriter, written
from cifar_dsl.runs.predictions import write_predictions
from cifar_dsl.training.checkpoints import CheckpointError, restored, to_bytes
from cifar_dsl.training.device import peak_macs_per_s
from cifar_dsl.training.evaluation import Measured, evaluate
from cifar_dsl.training.events import CheckpointSaved, EpochEnded, Listener, Note
from cifar_dsl.training.images import Splits
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.loop import Epoch
from cifar_dsl.training.weights import packed


@define
class Recorder:
    """Keeps in `writer` what the training of `learner` gives.

    A checkpoint is saved after every `checkpoint_every` epochs; 0 is never. `listener` hears of checkpoints and epochs
    once they are on disk. `energy_j` gives the energy that this process took for the training, or None if unknown.
    """

    learner: Learner
    writer: RunWriter
    splits: Splits
    classes: tuple[str, ...]
    spec_text: str
    listener: Listener
    checkpoint_every: int = 1
    energy_j: Callable[[], float | None] = field(default=lambda: None, init=False)
    has_diverged: bool = field(default=False, init=False)
    _metrics: list[EpochMetrics] = field(factory=list, init=False)
    _best: Best | None = field(default=None, init=False)
    _tested: Measured | None = field(default=None, init=False)  # after the last epoch
    _best_file: bytes = field(default=b"", init=False)
    _begun: float = field(factory=time.perf_counter, init=False)
    _time_before_s: float = field(default=0.0, init=False)  # of processes that were broken off
    _energy_before_j: float | None = field(default=0.0, init=False)  # of those too

    def resume(self, when: str, new_learner: Callable[[], Learner]) -> None:
        """Go on from the furthest checkpoint that is whole, or from the start if there is none."""
        for checkpoint, content in self.writer.found():
            if content is None:
                self._note(f"{checkpoint.path.name} is damaged, so an earlier one is used")
                continue
            try:
                progress, self._best_file = restored(self.learner, content)
            except CheckpointError as error:
                self._note(f"{checkpoint.path.name} can't be used ({error})")
                self.learner = new_learner()
                continue
            self._metrics, self._best = list(progress.metrics), progress.best
            self._time_before_s, self._energy_before_j = progress.time_s, progress.energy_j
            break
        learner, record = self.learner, self.writer.record
        here = self.writer.environment
        before = record.resumed[-1].environment if record.resumed else record.environment
        self.writer.resume(Resumption(learner.epoch, learner.steps_done, when, here), self._metrics)
        place = f"epoch {learner.epoch}"
        if learner.steps_done:
            place = f"step {learner.steps_done + 1} of {place}"
        self._note(f"{record.spec.name} seed {record.seed} was broken off; it goes on with {place}")
        if differences := before.differs(here):
            self._note(
                f"its results may differ in their last digits from those of one process: {'; '.join(differences)}"
            )

    def _note(self, text: str) -> None:
        self.listener(Note(text))

    def take(self, epoch: Epoch) -> None:
        """Keep what an epoch gave; the learner stands at the beginning of the next."""
        self._metrics.append(epoch.metrics)
        self._tested = epoch.test
        self._note_best(epoch)
        learner = self.learner
        is_last = learner.epoch > learner.plan.epochs_begun
        if self.checkpoint_every and (is_last or (learner.epoch - 1) % self.checkpoint_every == 0):
            self.checkpoint()
        self.writer.add_epoch(epoch.metrics)
        self.listener(EpochEnded(learner.seed, epoch.metrics))

    def _note_best(self, epoch: Epoch) -> None:
        if epoch.validation is None:
            return
        if self._best is None or epoch.validation.accuracy > self._best.validation_accuracy:
            self._best_file = packed(self.learner.tested, self.spec_text)
            digest = hashlib.sha256(self._best_file).hexdigest()
            self._best = Best(epoch.metrics.epoch, epoch.validation.accuracy, epoch.test.accuracy, digest)

    def checkpoint(self) -> None:
        """Write down where the learner stands. Raises RunError where that can't be written; older ones stay."""
        learner = self.learner
        content = to_bytes(learner, self._metrics, self._time_s, self._best, self._best_file, self._whole_energy_j)
        self.writer.add_checkpoint(learner.epoch, learner.steps_done, content)
        self.listener(CheckpointSaved(learner.seed, learner.epoch, learner.steps_done))

    def diverge(self) -> None:
        """The loss is no number any more."""
        self.has_diverged = True

    def commit(self) -> Run:
        """Complete the run. Raises RunError where it can't be written."""
        digest = None
        if not self.has_diverged:
            digest = _write(self.writer.weights, packed(self.learner.tested, self.spec_text))
            if self._best:
                _write(self.writer.best, self._best_file)
            self._write_predictions()
        run = self.writer.commit(self._result(digest))
        self.writer.close()
        return run

    def _write_predictions(self) -> None:
        learner, images = self.learner, self.splits.test
        # Where a process was broken off after the last epoch, the next has measured nothing yet.
        measured = self._tested or evaluate(learner.tested, images, learner.recipe)
        with written(self.writer.predictions):
            write_predictions(
                self.writer.predictions,
                labels=images.labels.cpu().numpy(),
                predicted=measured.predicted.cpu().numpy(),
                truth_probability=measured.confidence.cpu().numpy(),
                classes=self.classes,
            )

    def _result(self, digest: str | None) -> RunResult:
        plan, cost = self.learner.plan, self.learner.graph.cost
        training_s = sum(metrics.time_s for metrics in self._metrics)
        images = sum(plan.images_in(metrics.epoch) for metrics in self._metrics)
        last = self._metrics[-1] if digest else None
        images_per_s = images / training_s if training_s else 0.0
        peak = peak_macs_per_s(self.learner.device, self.learner.recipe.precision)
        return RunResult(
            status="finished" if digest else "diverged",
            accuracy=last.test_accuracy if last else None,
            loss=last.test_loss if last else None,
            epochs=plan.epochs if digest else len(self._metrics),
            parameters=cost.parameters,
            macs=cost.macs,
            time_s=self._time_s,
            images_per_s=images_per_s,
            peak_share=3 * cost.macs * images_per_s / peak,  # forward once, backward twice
            weights_digest=digest,
            best=self._best if digest else None,
            energy_j=self._whole_energy_j,
        )

    @property
    def _whole_energy_j(self) -> float | None:
        """The energy that all processes together took for it."""
        here, before = self.energy_j(), self._energy_before_j
        return None if here is None or before is None else before + here

    @property
    def _time_s(self) -> float:
        """How long it has been trained, by all processes together."""
        return self._time_before_s + time.perf_counter() - self._begun


def _write(path: Path, content: bytes) -> str:
    """Write a file of the run; gives back its SHA-256."""
    with written(path):
        write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()
