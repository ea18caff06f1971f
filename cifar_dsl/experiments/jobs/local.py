"""Run several jobs at a time in processes of this machine."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from cifar_dsl.experiments.jobs.executor import JobListener
from cifar_dsl.experiments.jobs.job import Job, run_job
from cifar_dsl.foundation.records import define, field
from cifar_dsl.foundation.signals import STOP_SIGNALS, handle_stop_signals
from cifar_dsl.training.events import Event, FinalEvent, TrainingFailed, TrainingStopped

_POLL_S = 0.2
_STOP_TIMEOUT_S = 600  # for a process that was asked to stop to write its checkpoint


@define
class LocalExecutor:
    """Runs jobs in up to `workers` processes, each of which is reused for the next job.

    `gpus`, named as in CUDA_VISIBLE_DEVICES, are distributed among the processes: each sees one, as `cuda:0`. A process
    that dies fails only its own job, and a new process replaces it.
    """

    workers: int
    gpus: tuple[str, ...] = ()
    _context: multiprocessing.context.SpawnContext = field(
        factory=lambda: multiprocessing.get_context("spawn"), init=False
    )

    def run(
        self, jobs: Sequence[Job], listener: JobListener, wants_stop: Callable[[], bool] = lambda: False
    ) -> list[FinalEvent]:
        """Run the jobs, as many at a time as there are workers; see `Executor.run`."""
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
                for worker in _with_messages(workers):
                    self._listen(worker, workers, outcomes, listener, wants_stop)
        except KeyboardInterrupt:  # stop at once, without the checkpoints that `end` waits for
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
            used = [worker.gpu for worker in workers]
            workers.append(_WorkerProcess.start(self._context, min(self.gpus, key=used.count, default=None)))
            return workers[-1]
        return None

    def _listen(
        self,
        worker: "_WorkerProcess",
        workers: "list[_WorkerProcess]",
        outcomes: dict[int, FinalEvent],
        listener: JobListener,
        wants_stop: Callable[[], bool],
    ) -> None:
        try:
            event: Event = worker.connection.recv()
        except (EOFError, OSError):
            workers.remove(worker)
            worker.end()
            if worker.number is None:
                return
            # Killed before its signal handlers were set, by the request to stop: ours, or one to all processes here.
            event = TrainingStopped()
            if not (worker.is_asked or (-(worker.process.exitcode or 0) in STOP_SIGNALS and wants_stop())):
                event = TrainingFailed(
                    f"its process ended{_how(worker.process.exitcode)}",
                    ("rerun the same command to resume",),
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
    number: int | None = None  # of its current job
    has_worked: bool = False
    is_asked: bool = False

    @classmethod
    def start(cls, context: multiprocessing.context.SpawnContext, gpu: str | None) -> "_WorkerProcess":
        here, remote = context.Pipe()
        process = context.Process(target=_work, args=(remote, gpu), daemon=True)
        resource_tracker.ensure_running()  # here, since its start would unblock the signal
        # The process inherits that Ctrl-C is blocked, until it can handle it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        remote.close()
        return cls(process, here, gpu)

    def begin(self, number: int, job: Job) -> bool:
        """Send a job to the process; False if it has died since its last job.

        For a process without a last job, `recv` reports its death.
        """
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
            self.process.terminate()  # sends SIGTERM, the request to stop

    def end(self) -> None:
        self.connection.close()
        self.process.join(_STOP_TIMEOUT_S if self.is_asked else 5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _with_messages(workers: Sequence[_WorkerProcess]) -> list[_WorkerProcess]:
    ready = wait([worker.connection for worker in workers], timeout=_POLL_S)
    return [worker for worker in workers if worker.connection in ready]


def _how(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f" with exit code {exit_code}"
    why = ", probably because memory ran out" if -exit_code == signal.SIGKILL else ""
    return f" by {signal.Signals(-exit_code).name}{why}"


def _work(connection: Connection, gpu: str | None) -> None:
    """Run jobs from the connection until it closes or a signal arrives."""
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu  # before CUDA starts here
    signals: list[int] = []

    def request_stop(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and number in signals:  # a second Ctrl-C
            raise KeyboardInterrupt
        signals.append(number)

    handle_stop_signals(request_stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    is_orphaned = False

    def report(event: Event) -> None:
        nonlocal is_orphaned
        try:
            connection.send(event)
        except OSError:  # the parent process is gone: stop with a checkpoint
            is_orphaned = True

    try:
        while not (signals or is_orphaned):
            if connection.poll(_POLL_S):
                run_job(connection.recv(), report, lambda: bool(signals) or is_orphaned)
    except (EOFError, OSError, KeyboardInterrupt):
        return
