"""Records the training of one seed as a run on disk: starts or resumes it, updates and completes it."""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cifar_dsl.analysis.work import work_share
from cifar_dsl.compiler import TrainingSize, mean_macs
from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.records import define, field
from cifar_dsl.runs import Best, EpochMetrics, ExitResult, Resumption, Run, RunResult, RunWriter, explain_write_errors
from cifar_dsl.runs.predictions import write_predictions
from cifar_dsl.training.checkpoints import CheckpointError, restored, to_bytes
from cifar_dsl.training.device import peak_share
from cifar_dsl.training.evaluation import EvaluationResult, evaluate
from cifar_dsl.training.events import CheckpointSaved, EpochEnded, Listener, Note
from cifar_dsl.training.images import Splits
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.loop import EpochResult
from cifar_dsl.training.weights import packed


@define
class Recorder:
    """Writes the training of `learner` to disk with `writer`.

    It saves a checkpoint every `checkpoint_every` epochs (0: never), but none within `checkpoint_seconds` of the last
    one or of the start, except after the last epoch. `listener` receives checkpoints and epochs once
    they are on disk. `energy_j` returns the energy that this process has used for the training, in joules, or None if
    that is unknown. `prepared_s` is the time that this process has spent on the training before, in seconds.
    `sizes` are those of the training images.
    """

    learner: Learner
    writer: RunWriter
    splits: Splits
    classes: tuple[str, ...]
    spec_text: str
    sizes: tuple[TrainingSize, ...]
    listener: Listener
    checkpoint_every: int = 1
    checkpoint_seconds: int = 0
    energy_j: Callable[[], float | None] = field(default=lambda: None, init=False)
    prepared_s: float = field(default=0.0, init=False)
    has_diverged: bool = field(default=False, init=False)
    _metrics: list[EpochMetrics] = field(factory=list, init=False)
    _best: Best | None = field(default=None, init=False)
    _test_result: EvaluationResult | None = field(default=None, init=False)  # after the last epoch
    _best_file: bytes = field(default=b"", init=False)
    _begun: float = field(factory=time.perf_counter, init=False)
    _saved: float = field(factory=time.perf_counter, init=False)  # when the last checkpoint was, or training began
    _time_before_s: float = field(default=0.0, init=False)  # by earlier processes, which were interrupted
    _energy_before_j: float | None = field(default=0.0, init=False)  # by the same processes

    def resume(self, when: str, new_learner: Callable[[], Learner]) -> None:
        """Resume from the latest valid checkpoint, or from the start if there is none."""
        for checkpoint, content in self.writer.saved_checkpoints():
            if content is None:
                self._note(f"{checkpoint.path.name} is damaged; using an earlier checkpoint")
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
            place += f", step {learner.steps_done + 1}"
        same = "" if record.spec.name == learner.name else f", in the run of {record.spec.name}, an equivalent spec"
        self._note(f"resuming {learner.name} seed {record.seed} at {place}{same}")
        if differences := before.differs(here):
            self._note(
                f"the result may differ in its last digits from an uninterrupted run's: {'; '.join(differences)}"
            )

    def _note(self, text: str) -> None:
        self.listener(Note(text))

    def record_epoch(self, epoch: EpochResult) -> None:
        """Record a finished epoch. The learner must be at the start of the next one."""
        self._metrics.append(epoch.metrics)
        self._test_result = epoch.test
        self._update_best(epoch)
        learner = self.learner
        if self._is_checkpoint_due:
            self.save_checkpoint()
        self.writer.add_epoch(epoch.metrics)
        self.listener(EpochEnded(learner.seed, epoch.metrics, learner.plan.images_in(epoch.metrics.epoch)))
        if self._has_stopped_early:
            self._note(f"{learner.name} seed {learner.seed} stops early, after epoch {epoch.metrics.epoch}")

    @property
    def _is_checkpoint_due(self) -> bool:
        """Whether to save a checkpoint after the recorded epoch."""
        learner = self.learner
        if not self.checkpoint_every or self.is_over or learner.epoch > learner.plan.epochs_begun:
            return bool(self.checkpoint_every)
        has_waited = time.perf_counter() - self._saved >= self.checkpoint_seconds
        return has_waited and (learner.epoch - 1) % self.checkpoint_every == 0

    def _update_best(self, epoch: EpochResult) -> None:
        if epoch.validation is None:
            return
        assert epoch.test is not None  # see Plan.has_evaluation
        if self._best is None or epoch.validation.accuracy > self._best.validation_accuracy:
            self._best_file = packed(self.learner.evaluated, self.spec_text)
            digest = hashlib.sha256(self._best_file).hexdigest()
            self._best = Best(epoch.metrics.epoch, epoch.validation.accuracy, epoch.test.accuracy, digest)

    def save_checkpoint(self) -> None:
        """Save the state of the training. Raises RunError if the checkpoint can't be written; older ones stay."""
        learner = self.learner
        content = to_bytes(
            learner, self._metrics, self._total_time_s, self._best, self._best_file, self._total_energy_j
        )
        self.writer.add_checkpoint(learner.epoch, learner.steps_done, content)
        self._saved = time.perf_counter()
        self.listener(CheckpointSaved(learner.seed, learner.epoch, learner.steps_done))

    @property
    def is_over(self) -> bool:
        """Whether early stopping ends the training after the recorded epochs."""
        stopping = self.learner.recipe.early_stopping
        return stopping.is_over([getattr(metrics, stopping.measure) for metrics in self._metrics if stopping.measure])

    @property
    def _has_stopped_early(self) -> bool:
        return self.is_over and self.learner.epoch <= self.learner.plan.epochs_begun

    def mark_diverged(self) -> None:
        """Record that the loss became NaN or infinite."""
        self.has_diverged = True

    def commit(self) -> Run:
        """Complete the run. Raises RunError if it can't be written."""
        digest = None
        if not self.has_diverged:
            digest = _write(self.writer.weights, packed(self.learner.evaluated, self.spec_text))
            if self._best:
                _write(self.writer.best, self._best_file)
            if self.learner.chooser:
                _write(self.writer.selection, self.learner.chooser.content(len(self._metrics)))
            self._write_predictions()
        run = self.writer.commit(self._result(digest))
        self.writer.close()
        return run

    def _write_predictions(self) -> None:
        learner, images = self.learner, self.splits.test
        # A process that resumes after the last epoch has evaluated nothing yet.
        result = self._test_result or evaluate(learner.evaluated, images, learner.recipe)
        with explain_write_errors(self.writer.predictions):
            write_predictions(
                self.writer.predictions,
                labels=images.labels.cpu().numpy(),
                predicted=result.predicted.cpu().numpy(),
                truth_probability=result.truth_probability.cpu().numpy(),
                classes=self.classes,
            )

    def _result(self, digest: str | None) -> RunResult:
        plan, cost = self.learner.plan, self.learner.graph.cost
        training_s = sum(metrics.time_s for metrics in self._metrics)
        images = sum(plan.images_in(metrics.epoch) for metrics in self._metrics)
        last = self._metrics[-1] if digest else None
        images_per_s = images / training_s if training_s else 0.0
        epochs = self._epochs_done if self._has_stopped_early or not digest else plan.epochs
        forward_macs = mean_macs(self.sizes, self.learner.recipe.epochs_before, epochs)
        macs_per_s, teacher = self.learner.step_macs(forward_macs) * images_per_s, self.learner.teacher
        teacher_macs = teacher.graph.cost.macs if teacher else 0
        return RunResult(
            status="finished" if digest else "diverged",
            accuracy=last.test_accuracy if last else None,
            loss=last.test_loss if last else None,
            epochs=epochs,
            parameters=cost.parameters,
            macs=cost.macs,
            time_s=self._total_time_s,
            images_per_s=images_per_s,
            peak_share=peak_share(macs_per_s, self.learner.device, self.learner.recipe.precision),
            weights_digest=digest,
            best=self._best if digest else None,
            energy_j=self._total_energy_j,
            cross_entropy=last.test_cross_entropy if last else None,
            passes=self.learner.recipe.perturb.passes,
            stopped_early=self._has_stopped_early,
            exits=tuple(self._exit_results(last)),
            teacher_macs=teacher_macs,
            training_macs=None if forward_macs == cost.macs else forward_macs,
            work_share=work_share(self.learner.recipe, forward_macs, teacher_macs, plan.share),
        )

    def _exit_results(self, last: EpochMetrics | None) -> Iterator[ExitResult]:
        for place, one in enumerate(self.learner.outputs[1:]):
            measured = last.exits[place] if last else None
            yield ExitResult(
                name=one.name,
                weight=one.weight,
                parameters=one.cost.parameters,
                train_loss=measured.train_loss if measured else None,
                train_accuracy=measured.train_accuracy if measured else None,
            )

    @property
    def _epochs_done(self) -> int:
        return self._metrics[-1].epoch if self._metrics else self.learner.recipe.epochs_before

    @property
    def _total_energy_j(self) -> float | None:
        """The energy that all processes have used for the training, in joules; None if unknown."""
        here, before = self.energy_j(), self._energy_before_j
        return None if here is None or before is None else before + here

    @property
    def _total_time_s(self) -> float:
        """The time that all processes have spent on the training, in seconds."""
        return self._time_before_s + self.prepared_s + time.perf_counter() - self._begun


def _write(path: Path, content: bytes) -> str:
    """Write a file of the run. Returns its SHA-256."""
    with explain_write_errors(path):
        write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()
