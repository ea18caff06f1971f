"""Train a job on another machine: a worker trains there, and copies its runs back after every epoch.

       this machine (the driver)                          another machine (the worker)

    RemoteRuns(job)                                    RemoteWorker
      lock()     locks the runs' folders
      deltas()   FolderDelta of each partial run  ---->  start(job, dataset, deltas)
                                                            applies them to a temporary folder,
                                                            and runs the job there, in a thread
                                                          an epoch ends, training stops or ends
      apply()  <----  Message(event, deltas, results)  <----  messages()
        writes changed files to the partial run;
        a result completes it and moves it to its folder
      close()    unlocks the runs                        the temporary folder is removed

`ray.py` carries both arrows: it starts a RemoteWorker as an actor of the cluster and polls its messages. If a worker
is lost, it starts another from the last state that arrived here. Nothing in this file needs Ray.
"""

import queue
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from cifar_dsl.experiments.jobs.job import Job, failure_of, run_job
from cifar_dsl.foundation.atomic import is_full
from cifar_dsl.foundation.errors import LockedError, UserError
from cifar_dsl.foundation.records import define, evolve, field, frozen
from cifar_dsl.runs import RESULT, RunWriter, claim, run_path
from cifar_dsl.runs.transfer import FolderDelta, Stamps, apply_delta, take_delta
from cifar_dsl.training.artifacts import ArtifactFile
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.events import EpochEnded, Event, TrainingEnded, TrainingFailed, TrainingStopped

_RERUN = ("rerun the same command to resume from the last checkpoint",)


@frozen
class Message:
    """An event, with the changes in each seed's run since the last message.

    `results` has the text of `result.json` of each complete run, by seed.
    """

    event: Event
    deltas: dict[int, FolderDelta] = field(factory=dict)
    results: dict[int, str] = field(factory=dict)


@define
class RemoteWorker:
    """Trains one job at a time on the worker's machine, in a thread and a temporary folder, and queues its messages."""

    _queue: "queue.SimpleQueue[Message]" = field(factory=queue.SimpleQueue, init=False)
    _stop: threading.Event = field(factory=threading.Event, init=False)

    def start(
        self,
        job: Job,
        dataset: Dataset,
        deltas: Mapping[int, FolderDelta],
        artifacts: Sequence[ArtifactFile] = (),
    ) -> None:
        """Train in a thread; `deltas` are the partial runs to resume, by seed."""
        # Copies: arrays in shared memory are read-only, and torch needs writable ones.
        names = ("x_train", "y_train", "x_test", "y_test")
        images = evolve(dataset, **{name: getattr(dataset, name).copy() for name in names})
        threading.Thread(target=self._work, args=(job, images, dict(deltas), artifacts), daemon=True).start()

    def messages(self, timeout_s: float) -> list[Message]:
        """The messages since the last call; waits for the first until the timeout."""
        received: list[Message] = []
        try:
            received.append(self._queue.get(timeout=timeout_s))
            while True:
                received.append(self._queue.get_nowait())
        except queue.Empty:
            return received

    def ask_to_stop(self) -> None:
        """Stop after the current step, with a checkpoint."""
        self._stop.set()

    def _work(
        self, job: Job, dataset: Dataset, deltas: Mapping[int, FolderDelta], artifacts: Sequence[ArtifactFile]
    ) -> None:
        """Train. Queues the last message after the folder is removed, since the driver kills this process then."""
        try:
            with tempfile.TemporaryDirectory(prefix="cifar-dsl-", ignore_cleanup_errors=True) as root:
                here = evolve(job, options=evolve(job.options, runs=Path(root)))
                last = self._train(here, dataset, deltas, artifacts)
        except (
            UserError,
            OSError,
        ) as error:  # most likely the disk is full: that of this machine, not that of the runs
            last = Message(evolve(_failure_of(error, job), disk_is_full=False))
        except Exception as error:  # noqa: BLE001  # the driver waits for a final event
            last = Message(TrainingFailed(f"{type(error).__name__}: {error}", trace=traceback.format_exc()))
        self._queue.put(last)

    def _train(
        self, job: Job, dataset: Dataset, deltas: Mapping[int, FolderDelta], artifacts: Sequence[ArtifactFile]
    ) -> Message:
        """Train and queue all messages except the last, which is returned."""
        writers = {seed: _writer(job, seed) for seed in job.seeds}
        sent: dict[int, Stamps] = {seed: {} for seed in job.seeds}
        last: list[Message] = []

        def listener(event: Event) -> None:
            match event:
                case EpochEnded(seed=seed):
                    self._queue.put(Message(event, {seed: take_delta(writers[seed].partial, sent[seed])}))
                case TrainingEnded():
                    final = {seed: take_delta(writer.path, sent[seed]) for seed, writer in writers.items()}
                    results = {seed: (writer.path / RESULT).read_text("utf-8") for seed, writer in writers.items()}
                    last.append(Message(event, final, results))
                case TrainingStopped():
                    partial = {seed: writer.partial for seed, writer in writers.items() if writer.partial.is_dir()}
                    last.append(Message(event, {seed: take_delta(path, sent[seed]) for seed, path in partial.items()}))
                case TrainingFailed():  # a full disk is that of this machine, not that of the runs
                    last.append(Message(evolve(event, disk_is_full=False)))
                case _:
                    self._queue.put(Message(event))

        for seed, delta in deltas.items():
            apply_delta(delta, writers[seed].partial)
        run_job(job, listener, self._stop.is_set, dataset, artifacts)
        return last[-1]


@define
class RemoteRuns:
    """The runs of a job on this machine, locked while a worker trains them."""

    job: Job
    _writers: dict[int, RunWriter] = field(factory=dict, init=False)

    def lock(self) -> TrainingEnded | TrainingFailed | None:
        """Lock all runs. Returns the job's final event if all are complete or one can't be locked.

        Raises LockedError, and locks none, if another process trains one and the job should wait: retry later.
        """
        try:
            for seed in self.job.seeds:
                options = self.job.options
                self._writers[seed] = claim(
                    options.runs, self.job.identity(seed), keep=options.keep_last, restart=options.restart
                )
            complete = {seed: writer.find_complete(self.job.identity(seed)) for seed, writer in self._writers.items()}
            if not self.job.options.retrain and all(complete.values()):
                return TrainingEnded(tuple(str(run.path) for run in complete.values() if run))
            for writer in self._writers.values():
                writer.record_holder()
        except UserError as error:
            if isinstance(error, LockedError) and self.job.options.wait:
                self.close()
                raise
            return _failure_of(error, self.job)
        return None

    def deltas(self) -> dict[int, FolderDelta]:
        """The complete contents of the partial runs on this machine, by seed."""
        return {
            seed: take_delta(writer.partial, {}) for seed, writer in self._writers.items() if writer.partial.is_dir()
        }

    def apply(self, message: Message) -> Event:
        """Update the runs here to the worker's state. Returns the event with the paths of this machine."""
        if unknown := {*message.deltas, *message.results} - self._writers.keys():
            return TrainingFailed(f"its worker sent files of seed {min(unknown)}, which it doesn't train", _RERUN)
        try:
            for seed, delta in message.deltas.items():  # keep checkpoints until the run is committed
                apply_delta(delta, self._writers[seed].partial, keep=seed in message.results)
                self._writers[seed].record_holder()
            for seed, text in message.results.items():
                writer = self._writers[seed]
                writer.commit(writer.read_received(text, self.job.identity(seed)))
        except (UserError, OSError) as error:
            return _failure_of(error, self.job)
        return self._ended() if isinstance(message.event, TrainingEnded) else message.event

    def close(self) -> None:
        """Unlock the runs."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _ended(self) -> TrainingEnded:
        return TrainingEnded(tuple(str(self._writers[seed].path) for seed in self.job.seeds))


def _failure_of(error: UserError | OSError, job: Job) -> TrainingFailed:
    """The event of a job that failed because files couldn't be read or written; without other advice, to rerun it."""
    failure = failure_of(error, job.options.runs)
    disk_is_full = failure.disk_is_full or (isinstance(error, OSError) and is_full(error))
    return evolve(failure, help=failure.help or _RERUN, disk_is_full=disk_is_full)


def _writer(job: Job, seed: int) -> RunWriter:
    return RunWriter(run_path(job.options.runs, job.spec, seed), keep=job.options.keep_last)
