"""Jobs in processes of this machine, several at a time."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from attrs import define, field

from cifar_dsl.experiments.jobs.executor import JobListener
from cifar_dsl.experiments.jobs.job import Job, run_job
from cifar_dsl.training.events import Event, FinalEvent, TrainingFailed, TrainingStopped

_LOOK_S = 0.2
_PATIENCE_S = 600  # for a checkpoint to be written by a process that was asked to stop


@define
class LocalExecutor:
    """Runs jobs in so many `workers`, processes that stay for the next job.

    Where there are `gpus`, as CUDA_VISIBLE_DEVICES names them, they are shared out among the processes: each sees one,
    and calls it `cuda:0`. A process that dies takes its job with it, and no other: another process takes its place.
    """

    workers: int
    gpus: tuple[str, ...] = ()
    _context: multiprocessing.context.SpawnContext = field(
        factory=lambda: multiprocessing.get_context("spawn"), init=False
    )

    def run(
        self, jobs: Sequence[Job], listener: JobListener, wants_stop: Callable[[], bool] = lambda: False
    ) -> list[FinalEvent]:
        """See `Executor.run`."""
        outcomes: dict[int, FinalEvent] = {}
        waiting = list(enumerate(jobs))
        workers: list[_WorkerProcess] = []
        try:
            while waiting or any(worker.number is not None for worker in workers):
                stops = wants_stop()
                if stops:
                    waiting.clear()
                    for worker in workers:
                        worker.ask_to_stop()
                while waiting and (free := self._free(workers)):
                    if free.begin(*waiting[0]):
                        del waiting[0]
                    else:
                        workers.remove(free)
                        free.end()
                for worker in _speaking(workers):
                    self._listen(worker, workers, outcomes, listener)
        except KeyboardInterrupt:  # at once, without the checkpoints that `end` waits for
            for worker in workers:
                worker.process.kill()
            raise
        finally:
            for worker in workers:
                worker.end()
        return [outcomes.get(number, TrainingStopped()) for number in range(len(jobs))]

    def _free(self, workers: "list[_WorkerProcess]") -> "_WorkerProcess | None":
        for worker in workers:
            if worker.number is None:
                return worker
        if len(workers) < self.workers:
            taken = [worker.gpu for worker in workers]
            workers.append(_WorkerProcess.start(self._context, min(self.gpus, key=taken.count, default=None)))
            return workers[-1]
        return None

    def _listen(
        self,
        worker: "_WorkerProcess",
        workers: "list[_WorkerProcess]",
        outcomes: dict[int, FinalEvent],
        listener: JobListener,
    ) -> None:
        try:
            event: Event = worker.connection.recv()
        except (EOFError, OSError):
            workers.remove(worker)
            worker.end()
            if worker.number is None:
                return
            event = TrainingStopped()  # by the signal that asked it to stop, before it could take those
            if not worker.is_asked:
                event = TrainingFailed(
                    f"its process ended{_how(worker.process.exitcode)}",
                    ("give the same command again: it goes on",),
                )
        number = worker.number
        if number is None:
            return
        if isinstance(event, FinalEvent):
            outcomes[number] = event
            worker.number = None
        listener(number, event)


@define(eq=False)
class _WorkerProcess:
    process: SpawnProcess
    connection: Connection
    gpu: str | None
    number: int | None = None  # of the job that it works on
    has_worked: bool = False
    is_asked: bool = False

    @classmethod
    def start(cls, context: multiprocessing.context.SpawnContext, gpu: str | None) -> "_WorkerProcess":
        here, there = context.Pipe()
        process = context.Process(target=_work, args=(there, gpu), daemon=True)
        process.start()
        there.close()
        return cls(process, here, gpu)

    def begin(self, number: int, job: Job) -> bool:
        """Give it a job; False where it has died since its last one. If it dies over its first, `recv` tells of it."""
        try:
            self.connection.send(job.portable())
        except OSError:
            if self.has_worked:
                return False
        self.number, self.has_worked = number, True
        return True

    def ask_to_stop(self) -> None:
        if not self.is_asked and self.process.pid is not None:
            self.is_asked = True
            self.process.terminate()  # SIGTERM, which a worker takes for the request to stop

    def end(self) -> None:
        self.connection.close()
        self.process.join(_PATIENCE_S if self.is_asked else 5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _speaking(workers: Sequence[_WorkerProcess]) -> list[_WorkerProcess]:
    ready = wait([worker.connection for worker in workers], timeout=_LOOK_S)
    return [worker for worker in workers if worker.connection in ready]


def _how(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f" with {exit_code}"
    why = ", as the system does where memory runs out" if -exit_code == signal.SIGKILL else ""
    return f" by {signal.Signals(-exit_code).name}{why}"


def _work(connection: Connection, gpu: str | None) -> None:
    """What a worker does: it takes jobs until nobody has any more."""
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu  # before CUDA starts here
    signals: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        if number in signals:  # a second Ctrl-C
            raise KeyboardInterrupt
        signals.append(number)

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
    is_alone = False

    def report(event: Event) -> None:
        nonlocal is_alone
        try:
            connection.send(event)
        except OSError:  # who gave the job has gone: it ends with a checkpoint
            is_alone = True

    try:
        while not (signals or is_alone):
            if connection.poll(_LOOK_S):
                run_job(connection.recv(), report, lambda: bool(signals) or is_alone)
    except (EOFError, OSError, KeyboardInterrupt):
        return
