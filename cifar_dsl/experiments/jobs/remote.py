"""A job on another machine: what its worker does there, and what becomes of it here. Ray carries one to the other."""

import queue
import tempfile
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path

from attrs import define, evolve, field, frozen

from cifar_dsl.experiments.jobs.job import EpochEnded, Event, Failed, Finished, Job, Stopped, run_job
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.runs import RESULT, LockedError, Run, RunError, RunResult, RunWriter, run_path
from cifar_dsl.runs.records import from_json
from cifar_dsl.runs.transfer import Parcel, Stamps, pack, unpack
from cifar_dsl.training.datasets import Dataset


@frozen
class Told:
    """An event, with what changed in the run of each seed since the last; `results` are those of complete runs."""

    event: Event
    parcels: dict[int, Parcel] = field(factory=dict)
    results: dict[int, str] = field(factory=dict)


@define
class Laboratory:
    """Works on one job at a time, in a thread and in a folder of its own, and keeps what is to be told."""

    _told: "queue.SimpleQueue[Told]" = field(factory=queue.SimpleQueue, init=False)
    _stop: threading.Event = field(factory=threading.Event, init=False)

    def begin(self, job: Job, dataset: Dataset, parcels: Mapping[int, Parcel]) -> None:
        """Train in a thread, from where `parcels` stand: what is there of each seed."""
        # Copies: what comes through a shared memory can't be written, and torch wants that it can.
        names = ("x_train", "y_train", "x_test", "y_test")
        images = evolve(dataset, **{name: getattr(dataset, name).copy() for name in names})
        threading.Thread(target=self._work, args=(job, images, dict(parcels)), daemon=True).start()

    def told(self, patience_s: float) -> list[Told]:
        """What has happened since the last call; waits a little for something to happen."""
        found: list[Told] = []
        try:
            found.append(self._told.get(timeout=patience_s))
            while True:
                found.append(self._told.get_nowait())
        except queue.Empty:
            return found

    def ask_to_stop(self) -> None:
        """End after the running step, with a checkpoint."""
        self._stop.set()

    def _work(self, job: Job, dataset: Dataset, parcels: Mapping[int, Parcel]) -> None:
        """Train, and tell the last event when nothing is left here: this process may end right after it."""
        try:
            with tempfile.TemporaryDirectory(prefix="cifar-dsl-", ignore_cleanup_errors=True) as root:
                last = self._train(evolve(job, runs=root), dataset, parcels)
        except (UserError, OSError) as error:  # a disk that is full, as likely as not
            last = Told(Failed(str(error), ("give the same command again: it goes on from the last checkpoint",)))
        except Exception as error:  # noqa: BLE001  # whatever it is, somebody waits for an end
            last = Told(Failed(f"{type(error).__name__}: {error}", trace=traceback.format_exc()))
        self._told.put(last)

    def _train(self, job: Job, dataset: Dataset, parcels: Mapping[int, Parcel]) -> Told:
        """Tell everything but the last event, which is given back."""
        writers = {seed: _writer(job, seed) for seed in job.seeds}
        stamps: dict[int, Stamps] = {seed: {} for seed in job.seeds}
        last: list[Told] = []

        def report(event: Event) -> None:
            if isinstance(event, EpochEnded):
                found = {event.seed: pack(writers[event.seed].partial, stamps[event.seed])}
                self._told.put(Told(event, found))
            elif isinstance(event, Finished):
                found = {seed: pack(writer.path, stamps[seed]) for seed, writer in writers.items()}
                results = {seed: (writer.path / RESULT).read_text("utf-8") for seed, writer in writers.items()}
                last.append(Told(event, found, results))
            elif isinstance(event, Stopped):
                partial = {seed: writer.partial for seed, writer in writers.items() if writer.partial.is_dir()}
                last.append(Told(event, {seed: pack(folder, stamps[seed]) for seed, folder in partial.items()}))
            elif isinstance(event, Failed):
                last.append(Told(event))
            else:
                self._told.put(Told(event))

        for seed, parcel in parcels.items():
            unpack(parcel, writers[seed].partial)
        run_job(job, report, self._stop.is_set, dataset)
        return last[-1]


@define
class Home:
    """The places of a job's runs on this machine, which are kept locked while another works on them."""

    job: Job
    _writers: dict[int, RunWriter] = field(factory=dict, init=False)

    def open(self) -> Finished | Failed | None:
        """Take the runs. What became of the job where nothing is left to do, or another process trains one.

        Where it is to wait for that process, LockedError is raised, and none is taken: try again later.
        """
        try:
            for seed in self.job.seeds:
                writer = _writer(self.job, seed)
                writer.take()
                self._writers[seed] = writer
            if not self.job.habits.retrain and all(map(self._is_complete, self._writers.values())):
                return self._finished()
            for writer in self._writers.values():
                writer.sign()
        except UserError as error:
            if isinstance(error, LockedError) and self.job.habits.wait:
                self.close()
                raise
            return Failed(error.message, error.help)
        return None

    def parcels(self) -> dict[int, Parcel]:
        """What is there of runs that were broken off."""
        return {seed: pack(writer.partial, {}) for seed, writer in self._writers.items() if writer.partial.is_dir()}

    def take(self, told: Told) -> Event:
        """Bring the runs to where they are there; gives back what to tell of it here."""
        try:
            for seed, parcel in told.parcels.items():  # checkpoints stay until the run is in its place
                unpack(parcel, self._writers[seed].partial, keep=seed in told.results)
                self._writers[seed].sign()
            for seed, text in told.results.items():
                self._writers[seed].commit(from_json(text, RunResult))
        except (UserError, OSError) as error:
            return Failed(str(error), ("give the same command again: it goes on from the last checkpoint",))
        return self._finished() if isinstance(told.event, Finished) else told.event

    def close(self) -> None:
        """Let the runs go."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _is_complete(self, writer: RunWriter) -> bool:
        try:
            record = Run(writer.path).record()
        except RunError:
            return False
        return (record.fingerprint, record.data.digest) == (self.job.fingerprint, self.job.digest) and (
            writer.path / RESULT
        ).is_file()

    def _finished(self) -> Finished:
        return Finished(tuple(str(self._writers[seed].path) for seed in self.job.seeds))


def _writer(job: Job, seed: int) -> RunWriter:
    return RunWriter(run_path(Path(job.runs), job.name, job.fingerprint, seed), keep=job.habits.keep_last)
