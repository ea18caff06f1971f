"""Jobs on the machines of a Ray cluster; Ray is an extra. The diagram in `remote.py` shows what travels."""

import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, evolve, field

from cifar_dsl.experiments.jobs.executor import JobListener
from cifar_dsl.experiments.jobs.job import Job, load_data
from cifar_dsl.experiments.jobs.remote import Message, RemoteRuns, RemoteWorker
from cifar_dsl.foundation.errors import LockedError, UserError
from cifar_dsl.training.events import FinalEvent, Note, TrainingFailed, TrainingStopped

MAX_RETRIES = 3  # of a job whose workers are lost
_LOOK_S = 0.2
_ANSWER_S = 10  # within which a cluster that is there accepts a connection
_PATIENCE_S = 600  # for checkpoints of workers that were asked to stop
_STORE_BYTES = 512 * 1024**2  # for images, of a cluster that is started here


def connect(address: str | None = None) -> None:
    """Join the cluster at `address`, or start one on this machine alone. Raises UserError."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before Ray is imported: nothing is reported to anybody
    try:
        import ray
    except ImportError:
        raise UserError(
            "the executor needs Ray, which is not installed",
            "pip install 'cifar-dsl[ray]'",
            "or leave out --executor, which trains in processes of this machine",
        ) from None
    if ray.is_initialized():
        return
    if address is not None:
        check_reachable(address)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        options |= {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
    try:
        ray.init(address=address or "local", **options)
    except Exception as error:  # Ray raises many, Exception itself where a start takes too long
        raise _no_cluster(address, error) from error


def check_reachable(address: str) -> None:
    """Raise UserError if nothing answers at host:port, which Ray would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return  # `auto`, say
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str | None, error: Exception) -> UserError:
    return UserError(
        f"there is no Ray cluster at {address}" if address else "Ray could not be started here",
        "`ray start --head` starts one, and says its address" if address else "give the same command again",
        reason=str(error).strip().partition("\n")[0],
    )


def cluster_resources() -> tuple[int, int, int]:
    """How many CPUs, GPUs and machines the cluster has that was joined."""
    import ray

    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call, unused-ignore]
    machines = sum(name.startswith("node:") and name != "node:__internal_head__" for name in there)
    return int(there.get("CPU", 0)), int(there.get("GPU", 0)), machines


@define
class RayExecutor:
    """Runs each job in a process of the cluster, with as many CPUs as it has threads, and a GPU where it wants one.

    Specs travel as text and images as arrays, so that the machines need the same cifar_dsl and nothing else. What is
    trained comes back after every epoch, into the same places as of jobs that are run here. A job whose worker is lost
    goes on with another from there, at most `max_retries` times.
    """

    max_retries: int = MAX_RETRIES

    def run(
        self, jobs: Sequence[Job], listener: JobListener, wants_stop: Callable[[], bool] = lambda: False
    ) -> list[FinalEvent]:
        """See `Executor.run`."""
        driver = _Driver(self.max_retries, listener)
        try:
            return driver.run(jobs, wants_stop)
        finally:
            driver.end()


@define
class _Driver:
    """Hands jobs to workers and gathers their messages, until every job has its final event."""

    max_retries: int
    listener: JobListener
    outcomes: dict[int, FinalEvent] = field(factory=dict, init=False)
    waiting: list["_PendingJob"] = field(factory=list, init=False)
    workers: list["_WorkerHandle"] = field(factory=list, init=False)
    images: dict[str, Any] = field(factory=dict, init=False)  # by digest: where they lie in the cluster

    def run(self, jobs: Sequence[Job], wants_stop: Callable[[], bool]) -> list[FinalEvent]:
        self.waiting = [_PendingJob(number, job, RemoteRuns(job)) for number, job in enumerate(jobs)]
        asked: float | None = None
        while self.waiting or self.workers:
            if asked is None and wants_stop():
                asked = time.monotonic()
                self._let_go()
                for worker in self.workers:
                    worker.actor.ask_to_stop.remote()
            if asked is not None and time.monotonic() - asked > _PATIENCE_S:
                break
            while self.waiting and len(self.workers) < _room(self.waiting[0].job):
                task = self.waiting.pop(0)
                try:
                    self._begin(task)
                except LockedError:  # who trains it may do so for hours: the others go on, and this is tried again
                    self.waiting.append(task)
                    break
            self._listen(is_asked=asked is not None)
        return [self.outcomes.get(number, TrainingStopped()) for number in range(len(jobs))]

    def end(self) -> None:
        """Leave nothing behind in the cluster, and no run locked."""
        import ray

        for worker in self.workers:
            ray.kill(worker.actor)
            worker.task.runs.close()
        self._let_go()

    def _let_go(self) -> None:
        """Begin nothing that waits; what had a worker before, which was lost, still holds its runs."""
        for task in self.waiting:
            task.runs.close()
        self.waiting.clear()

    def _begin(self, task: "_PendingJob") -> None:
        import ray

        if task.tries == 0 and (outcome := task.runs.lock()):
            self._conclude(task, outcome)
            return
        job = task.job
        if job.digest not in self.images:
            self.images = {job.digest: ray.put(load_data(job))}  # all jobs of a command use one data set
        options = job.options
        needed: dict[str, Any] = {"num_cpus": options.threads or 1, "max_restarts": 0, "max_task_retries": 0}
        if options.device.startswith("cuda"):
            options = evolve(options, device="cuda")  # the one that Ray lets it see
            needed["num_gpus"] = 1
        actor: Any = ray.remote(RemoteWorker).options(**needed).remote()
        if task.tries:  # what the last worker sent back is to be resumed
            options = evolve(options, restart=False)
        deltas = {} if options.restart else task.runs.deltas()
        started = actor.start.remote(evolve(job.portable(), options=options), self.images[job.digest], deltas)
        self.workers.append(_WorkerHandle(actor, task, started))

    def _listen(self, *, is_asked: bool) -> None:
        import ray

        answers = [worker.answer for worker in self.workers]
        # All that are ready: of less, Ray would choose the first in this order, again and again.
        ready, _ = ray.wait(answers, num_returns=len(answers), timeout=_LOOK_S) if answers else ([], [])
        for worker in [worker for worker in self.workers if worker.answer in ready]:
            try:
                messages: list[Message] = ray.get(worker.answer) or []
            except ray.exceptions.RayError as error:
                self.workers.remove(worker)
                self._lose(worker.task, error, is_asked=is_asked)
                continue
            for message in messages:
                event = worker.task.runs.apply(message)
                if isinstance(event, FinalEvent):
                    self.workers.remove(worker)
                    ray.kill(worker.actor)
                    self._conclude(worker.task, event)
                    break
                self.listener(worker.task.number, event)
            else:
                worker.answer = worker.actor.messages.remote(_LOOK_S)

    def _lose(self, task: "_PendingJob", error: Exception, *, is_asked: bool) -> None:
        task.tries += 1
        why = str(error).strip().partition("\n")[0]
        if is_asked:
            self._conclude(task, TrainingStopped())
        elif task.tries > self.max_retries:
            help_text = "give the same command again: it goes on from the last epoch that came back"
            self._conclude(
                task, TrainingFailed(f"its worker was lost {task.tries} times, at last: {why}", (help_text,))
            )
        else:
            tries = f"try {task.tries + 1} of {self.max_retries + 1}"
            self.listener(task.number, Note(f"the worker of {task.job.label} was lost; {tries} ({why})"))
            self.waiting.insert(0, task)

    def _conclude(self, task: "_PendingJob", event: FinalEvent) -> None:
        task.runs.close()
        self.outcomes[task.number] = event
        self.listener(task.number, event)


@define(eq=False)
class _PendingJob:
    number: int
    job: Job
    runs: RemoteRuns
    tries: int = 0


@define(eq=False)
class _WorkerHandle:
    actor: Any
    task: _PendingJob
    answer: Any  # the reference to that of the last call


def _room(job: Job) -> int:
    """How many jobs like this the cluster can work on at a time; at least one, which then waits for a machine."""
    cpus, gpus, _ = cluster_resources()
    rooms = cpus // (job.options.threads or 1)
    return max(1, min(rooms, gpus) if job.options.device.startswith("cuda") else rooms)
