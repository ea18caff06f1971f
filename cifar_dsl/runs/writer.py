"""A run while it is trained: written beside its place, and moved there when it is complete."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import define, evolve, field

from cifar_dsl.foundation.atomic import sync_folder, write_atomically
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.runs.checkpoints import FOLDER, Checkpoint, checkpoints, write_checkpoint
from cifar_dsl.runs.digests import sums
from cifar_dsl.runs.folder import Run, restore
from cifar_dsl.runs.lock import RunLock
from cifar_dsl.runs.places import (
    BEST,
    FAILURE,
    HOLDER,
    METRICS,
    PREDICTIONS,
    RECORD,
    RESULT,
    SPEC,
    SUMS,
    WEIGHTS,
    partial_path,
    replaced_path,
)
from cifar_dsl.runs.records import (
    EpochMetrics,
    Machine,
    Resumption,
    RunRecord,
    RunResult,
    read_record,
    to_json,
    to_line,
    written,
)


@define
class RunWriter:
    """Writes the run that belongs in `path`. Until `commit` nothing is there, or the older run.

    All its methods raise RunError where the disk is full or fails, and lose nothing of what is there.
    `keep` is how many checkpoints are kept while it is trained. `environment` is that of this process, and `record`
    what the run's record says, that of the process that began it.
    """

    path: Path
    keep: int = 2
    environment: Machine = field(init=False)
    record: RunRecord = field(init=False)
    _lock: RunLock = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._lock = RunLock(self.path)

    @property
    def partial(self) -> Path:
        """The folder that is written."""
        return partial_path(self.path)

    @property
    def weights(self) -> Path:
        """Where the weights are to be written before `commit`."""
        return self.partial / WEIGHTS

    @property
    def best(self) -> Path:
        """Where the weights of the best epoch are to be written."""
        return self.partial / BEST

    @property
    def predictions(self) -> Path:
        """Where the predictions for the test images are to be written before `commit`."""
        return self.partial / PREDICTIONS

    def take(self, *, wait: bool = False, wants_stop: Callable[[], bool] = lambda: False) -> None:
        """Take the run, so that no other process trains it. Raises LockedError if one does, or is to `wait` for it.

        Raises StoppedError where somebody `wants_stop` while this waits.
        A run that was broken off in its very last moment, when nothing but its moving was left, is moved.
        """
        with written(self.path):
            self._lock.acquire(wait=wait, wants_stop=wants_stop)
            try:
                restore(self.path, is_ours=True)
                if (self.partial / RESULT).is_file():
                    self._move()
            except OSError:
                self.close()
                raise

    def complete(self, record: RunRecord) -> Run | None:
        """The complete run of this very training that is in the place, perhaps since a moment ago."""
        run = Run(self.path)
        try:
            is_complete = (self.path / RESULT).is_file() and run.record().identity.is_same_training(record.identity)
        except RunError:
            return None
        return run if is_complete else None

    def start(self, record: RunRecord, spec_text: str, *, restart: bool = False) -> bool:
        """Begin the run that was taken, and say whether a part of it is there: then `found` has its checkpoints.

        What is there of another training is removed, and with `restart` what is there of this one too.
        """
        self.record, self.environment = record, record.environment
        with written(self.partial):
            if self.partial.exists() and not restart and self._is_of_this_training(record):
                self.record = read_record(self.partial / RECORD, RunRecord)
                self._lock.sign()
                (self.partial / FAILURE).unlink(missing_ok=True)
                for half in self.partial.rglob("*.tmp"):  # of a process that was killed as it wrote
                    half.unlink()
                return True
            shutil.rmtree(self.partial, ignore_errors=True)
            self.partial.mkdir(parents=True)
            sync_folder(self.partial.parent)
            self._lock.sign()
            write_atomically(self.partial / SPEC, spec_text.encode())
            (self.partial / METRICS).touch()  # there also when not one epoch comes to its end
            write_atomically(self.partial / RECORD, to_json(record))
        return False

    def _is_of_this_training(self, record: RunRecord) -> bool:
        try:
            return read_record(self.partial / RECORD, RunRecord).identity.is_same_training(record.identity)
        except RunError:
            return False

    def found(self) -> Iterator[tuple[Checkpoint, bytes | None]]:
        """The checkpoints, each with its content, or None where it is damaged; the furthest first."""
        return ((checkpoint, checkpoint.content()) for checkpoint in checkpoints(self.partial))

    def resume(self, resumption: Resumption, metrics: Sequence[EpochMetrics]) -> None:
        """Note that training goes on after these epochs."""
        self.record = evolve(self.record, resumed=(*self.record.resumed, resumption))
        with written(self.partial):
            write_atomically(self.partial / RECORD, to_json(self.record))
            write_atomically(self.partial / METRICS, b"".join(map(to_line, metrics)))

    def add_checkpoint(self, epoch: int, steps_done: int, content: bytes) -> None:
        """Write a checkpoint. Where that fails, the ones before are still there."""
        with written(self.partial / FOLDER):
            write_checkpoint(self.partial, epoch, steps_done, content, self.keep)

    def add_epoch(self, metrics: EpochMetrics) -> None:
        """Write down an epoch."""
        path = self.partial / METRICS
        with written(path), path.open("ab") as file:
            file.write(to_line(metrics))
            file.flush()
            os.fsync(file.fileno())

    def commit(self, result: RunResult) -> Run:
        """Make the run appear in its place, in that of an older one if there is one."""
        with written(self.partial):
            content = to_json(result)
            write_atomically(self.partial / SUMS, sums(self.partial, content))
            write_atomically(self.partial / RESULT, content)
            self._move()
        return Run(self.path)

    def _move(self) -> None:
        """Move the run, which is complete, to its place. Where that is broken off, `take` does it."""
        shutil.rmtree(self.partial / FOLDER, ignore_errors=True)
        (self.partial / HOLDER).unlink(missing_ok=True)
        replaced = replaced_path(self.path)
        if self.path.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            self.path.rename(replaced)
        self.partial.rename(self.path)
        sync_folder(self.path.parent)
        shutil.rmtree(replaced, ignore_errors=True)

    def sign(self) -> None:
        """Say in the folder that is written, where it is there, who trains the run, as `start` does."""
        if self.partial.is_dir():
            with written(self.partial):
                self._lock.sign()

    def close(self) -> None:
        """Let the run go, complete or not."""
        self._lock.release()
