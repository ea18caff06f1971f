"""Writes a run in training: beside its place, where it moves when it is complete."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cattrs

from cifar_dsl.foundation.atomic import sync_folder, write_atomically
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.folders import make_folder, remove_folder, walk
from cifar_dsl.foundation.records import define, evolve, field
from cifar_dsl.runs.checkpoints import Checkpoint, checkpoints, write_checkpoint
from cifar_dsl.runs.file_errors import changed, damaged, explain_write_errors
from cifar_dsl.runs.folder import Run, check_no_links, find_runs, restore
from cifar_dsl.runs.identity import RunIdentity
from cifar_dsl.runs.lock import RunLock
from cifar_dsl.runs.places import (
    BEST,
    CHECKPOINTS,
    FAILURE,
    HOLDER,
    METRICS,
    PREDICTIONS,
    RECORD,
    RESULT,
    SELECTION,
    SPEC,
    SUMS,
    WEIGHTS,
    WHITENING,
    partial_path,
    replaced_path,
)
from cifar_dsl.runs.record_json import from_json, to_json, to_line
from cifar_dsl.runs.records import EpochMetrics, Machine, Resumption, RunRecord, RunResult
from cifar_dsl.runs.sums import SmallFiles, damage, recorded_digests, sums


@define
class RunWriter:
    """Writes the run of `path`. Until `commit`, `path` doesn't exist, or holds an older run.

    All methods raise RunError if the disk is full or fails; existing files stay intact. `keep` is the number of
    checkpoints to keep during training. `environment` is this process's; `record` holds that of the process that
    started the run. `training_lock` is another lock to release at the end.
    """

    path: Path
    keep: int = 2
    training_lock: RunLock | None = None
    environment: Machine = field(init=False)
    record: RunRecord = field(init=False)
    _lock: RunLock = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._lock = RunLock(self.path)

    @property
    def partial(self) -> Path:
        """The folder to write to."""
        return partial_path(self.path)

    @property
    def weights(self) -> Path:
        """The path for the weights, to write before `commit`."""
        return self.partial / WEIGHTS

    @property
    def best(self) -> Path:
        """The path for the weights of the best epoch."""
        return self.partial / BEST

    @property
    def predictions(self) -> Path:
        """The path for the predictions, to write before `commit`."""
        return self.partial / PREDICTIONS

    @property
    def selection(self) -> Path:
        """The path for the images that the training chose, to write before `commit`."""
        return self.partial / SELECTION

    def acquire(self, *, wait: bool = False, wants_stop: Callable[[], bool] = lambda: False) -> None:
        """Lock the run against other processes. Raises LockedError if another one trains it; or `wait` for it.

        Raises RunError if one of its folders is a link; StoppedError if `wants_stop` returns true during the wait. If
        an earlier process was interrupted when it only had to move the finished run, this moves it.
        """
        check_no_links(self.path)
        with explain_write_errors(self.path):
            self._lock.acquire(wait=wait, wants_stop=wants_stop)
            try:
                restore(self.path, is_ours=True)
                if (self.partial / RESULT).is_file():
                    self._move()
            except OSError:
                self.close()
                raise

    def find_complete(self, identity: RunIdentity) -> Run | None:
        """The complete run of the same training in `path`, or else of another name. Raises NewerRunError."""
        run = Run(self.path)
        if (self.path / RESULT).is_file() and run.is_of(identity):
            return run
        others = find_runs(self.path.parent.parent, identity.spec.fingerprint)
        return next((other for other in others if other.is_of(identity)), None)

    def start(self, record: RunRecord, spec_text: str, *, restart: bool = False) -> bool:
        """Start the acquired run. Returns whether a partial run exists; then `saved_checkpoints` has its checkpoints.

        A partial run of another training is removed, and with `restart`, one of the same training too. Raises RunError
        instead for one with checkpoints on other data, or that started from other weights, and NewerRunError for one
        of a newer version.
        """
        self.record, self.environment = record, record.environment
        with explain_write_errors(self.partial):
            if self.partial.exists() and not restart and Run(self.partial).is_of(record.identity):
                found = Run(self.partial).record()
                self._keep_other_artifacts(found, record)
                self.record = _updated(found, record)
                self._lock.record_holder()
                (self.partial / FAILURE).unlink(missing_ok=True)
                write_atomically(self.partial / SPEC, spec_text.encode())  # it may have another name, or be damaged
                for folder, _, names in walk(self.partial):
                    for name in names:
                        if name.endswith(".tmp"):  # of a process that was killed while it wrote
                            (folder / name).unlink()
                return True
            if not restart:
                self._keep_other_data(record)
            remove_folder(self.partial, ignore_errors=True)
            make_folder(self.partial)
            sync_folder(self.partial.parent)
            self._lock.record_holder()
            write_atomically(self.partial / SPEC, spec_text.encode())
            (self.partial / METRICS).touch()  # exists even if no epoch ends
            write_atomically(self.partial / RECORD, to_json(record))
        return False

    def _keep_other_data(self, record: RunRecord) -> None:
        """Raise RunError if the partial run has checkpoints of this spec and seed on other data."""
        try:
            found = Run(self.partial).record()
        except RunError:  # there is none, or its record is damaged
            return
        is_other = evolve(found.identity, data_digest=record.data.digest).is_same_training(record.identity)
        if is_other and checkpoints(self.partial):
            raise RunError(
                f"{self.partial} was interrupted while it was trained on other data, also called {record.data.name}",
                "restore that dataset to resume the run, choose another folder with --runs, or discard the run with "
                "`cifar-dsl train --restart`",
                reason=f"its data has digest {found.data.digest[:16]}, this is {record.data.digest[:16]}",
            )

    def _keep_other_artifacts(self, found: RunRecord, record: RunRecord) -> None:
        """Raise RunError if the partial run `found` has checkpoints and began with artifacts of another content.

        A recipe that continues a run names that run, and not the content of its weights.
        """
        recorded = {one.kind: one for one in found.uses}
        for now in record.uses:
            before = recorded.get(now.kind, now)
            if before.digest != now.digest and checkpoints(self.partial):
                raise RunError(
                    f"{self.partial} was interrupted after it started from other {now.kind} than those of {now.path}",
                    "restore them, and rerun the command to resume the run",
                    f"or delete {self.partial}, and rerun the command to start from {now.path}",
                    reason=f"it began with those of digest {before.digest}, and these have {now.digest}",
                )

    def saved_whitening(self, identity: RunIdentity) -> bytes | None:
        """The whitening of an interrupted run of the same training, if it is undamaged; before `start`."""
        run = Run(self.partial)
        return run.whitening_content() if run.is_of(identity) else None

    def write_whitening(self, content: bytes) -> None:
        """Write the file of the whitening, whose digest the record has."""
        with explain_write_errors(self.partial / WHITENING):
            write_atomically(self.partial / WHITENING, content)

    def saved_checkpoints(self) -> Iterator[tuple[Checkpoint, bytes | None]]:
        """The checkpoints, latest first, each with its content, or None if it is damaged."""
        return ((checkpoint, checkpoint.content()) for checkpoint in checkpoints(self.partial))

    def resume(self, resumption: Resumption, metrics: Sequence[EpochMetrics]) -> None:
        """Record that training resumes after these epochs."""
        self.record = evolve(self.record, resumed=(*self.record.resumed, resumption))
        with explain_write_errors(self.partial):
            write_atomically(self.partial / RECORD, to_json(self.record))
            write_atomically(self.partial / METRICS, b"".join(map(to_line, metrics)))

    def add_checkpoint(self, epoch: int, steps_done: int, content: bytes) -> None:
        """Write a checkpoint. If that fails, earlier ones still exist."""
        with explain_write_errors(self.partial / CHECKPOINTS):
            write_checkpoint(self.partial, epoch, steps_done, content, self.keep)

    def add_epoch(self, metrics: EpochMetrics) -> None:
        """Append the metrics of an epoch."""
        path = self.partial / METRICS
        with explain_write_errors(path), open(path, "ab", opener=_open_no_link) as file:
            file.write(to_line(metrics))
            file.flush()
            os.fsync(file.fileno())

    def read_received(self, text: str, identity: RunIdentity) -> RunResult:
        """The result of a run that another machine trained, and whose other files have arrived here.

        Raises RunError if they aren't those that were written there, or the result and files of another training.
        """
        run = Run(self.partial)
        try:
            result = from_json(text, RunResult)
        except (ValueError, cattrs.BaseValidationError) as error:
            raise damaged(self.partial / RESULT, error) from error
        if not run.is_of(identity):
            raise RunError(f"{self.partial} arrived with the record of another training")
        files = SmallFiles(self.partial)
        digests = recorded_digests(files, run.record(), result)
        if digests.pop(RESULT, None) != hashlib.sha256(text.encode()).hexdigest():
            raise changed(self.partial / RESULT)
        for wrong in damage(files, digests):
            raise wrong
        return result

    def commit(self, result: RunResult) -> Run:
        """Complete the run: write its result and move it to its place. It replaces an older run."""
        with explain_write_errors(self.partial):
            content = to_json(result)
            write_atomically(self.partial / SUMS, sums(self.partial, content))
            write_atomically(self.partial / RESULT, content)
            self._move()
        return Run(self.path)

    def _move(self) -> None:
        """Move the complete run to its place. After an interruption, `acquire` moves it."""
        remove_folder(self.partial / CHECKPOINTS, ignore_errors=True)
        (self.partial / HOLDER).unlink(missing_ok=True)
        replaced = replaced_path(self.path)
        if self.path.exists():
            remove_folder(replaced, ignore_errors=True)
            self.path.rename(replaced)
        self.partial.rename(self.path)
        sync_folder(self.path.parent)
        remove_folder(replaced, ignore_errors=True)

    def record_holder(self) -> None:
        """Write this process as the holder into the partial run, if it exists."""
        if self.partial.is_dir():
            with explain_write_errors(self.partial):
                self._lock.record_holder()

    def close(self) -> None:
        """Release the lock, whether the run is complete or not."""
        self._lock.release()
        if self.training_lock:
            self.training_lock.release()


def _open_no_link(path: str, flags: int) -> int:
    """Open a file, but not the target of a link in a stranger's run."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _updated(old: RunRecord, new: RunRecord) -> RunRecord:
    """The record of an interrupted run in today's format, with the facts that an older one lacks.

    The dataset and the artifacts, which are the same, may have moved.
    """
    names = ("data", "schema", "normalization", "classes", "uses", "whitening")
    return evolve(old, **{name: getattr(new, name) for name in names})
