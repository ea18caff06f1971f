"""Run jobs on a Ray cluster (an extra). The diagram in `remote.py` shows the messages."""

import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from cifar_dsl.experiments.jobs.executor import JobListener
from cifar_dsl.experiments.jobs.job import Job, load_artifacts, load_data
from cifar_dsl.experiments.jobs.remote import Message, RemoteRuns, RemoteWorker
from cifar_dsl.foundation.errors import LockedError, UserError
from cifar_dsl.foundation.extras import required
from cifar_dsl.foundation.records import define, evolve, field
from cifar_dsl.foundation.text import small_number
from cifar_dsl.runs import ArtifactRecord
from cifar_dsl.training.events import FinalEvent, Note, TrainingFailed, TrainingStopped

MAX_RETRIES = 3  # of a job that loses its worker
_POLL_S = 0.2
_CONNECT_TIMEOUT_S = 10
_STOP_TIMEOUT_S = 600  # for workers that were asked to stop to write their checkpoints
_STORE_BYTES = 512 * 1024**2  # object store of a cluster on this machine, for datasets


def connect(address: str | None = None) -> None:
    """Join the cluster at `address`, or start one on this machine alone. Raises UserError."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before Ray is imported: no telemetry
    ray = required("ray", "--executor ray", "ray", "or omit it to train in processes of this machine")
    if ray.is_initialized():
        return
    if address is not None:
        check_reachable(address)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        options |= {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
    try:
        ray.init(address=address or "local", **options)
    except Exception as error:  # Ray raises many types, and Exception itself if a start takes too long
        raise _no_cluster(address, error) from error


def check_reachable(address: str) -> None:
    """Raise UserError if nothing accepts connections at host:port; Ray itself would retry for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    number = small_number(port)
    if not colon or number is None:
        return  # such as `auto`
    try:
        socket.create_connection((host.strip("[]"), number), timeout=_CONNECT_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str | None, error: Exception) -> UserError:
    return UserError(
        f"there is no Ray cluster at {address}" if address else "can't start Ray on this machine",
        "start one with `ray start --head`, which prints its address" if address else "rerun the same command",
        reason=str(error).strip().partition("\n")[0],
    )


def cluster_resources() -> tuple[int, int, int]:
    """The numbers of CPUs, GPUs and nodes of the connected cluster."""
    import ray

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call, unused-ignore]
    nodes = sum(name.startswith("node:") and name != "node:__internal_head__" for name in resources)
    return int(resources.get("CPU", 0)), int(resources.get("GPU", 0)), nodes


@define
class RayExecutor:
    """Runs each job in a process of the cluster, with one CPU per thread and, for CUDA, one GPU.

    Specs are sent as text and images as arrays, so the machines need only the same cifar_dsl. Runs are copied back
    after every epoch, into the same folders as those of local jobs. A job that loses its worker resumes from there on
    another one, at most `max_retries` times.
    """

    max_retries: int = MAX_RETRIES

    def run(
        self, jobs: Sequence[Job], listener: JobListener, wants_stop: Callable[[], bool] = lambda: False
    ) -> list[FinalEvent]:
        """Run the jobs, as many at a time as the cluster has resources for; see `Executor.run`."""
        driver = _Driver(self.max_retries, listener)
        try:
            return driver.run(jobs, wants_stop)
        finally:
            driver.end()


@define
class _Driver:
    """Assigns jobs to workers and collects their messages until every job has its final event."""

    max_retries: int
    listener: JobListener
    outcomes: dict[int, FinalEvent] = field(factory=dict, init=False)
    waiting: list["_PendingJob"] = field(factory=list, init=False)
    workers: list["_WorkerHandle"] = field(factory=list, init=False)
    images: dict[str, Any] = field(factory=dict, init=False)  # references in the object store, by digest
    artifacts: dict[tuple[ArtifactRecord, ...], Any] = field(factory=dict, init=False)  # also references

    def run(self, jobs: Sequence[Job], wants_stop: Callable[[], bool]) -> list[FinalEvent]:
        self.waiting = [_PendingJob(number, job, RemoteRuns(job)) for number, job in enumerate(jobs)]
        asked_s: float | None = None
        while self.waiting or self.workers:
            if asked_s is None and wants_stop():
                asked_s = time.monotonic()
                self._drop_waiting()
                for worker in self.workers:
                    worker.actor.ask_to_stop.remote()
            if asked_s is not None and time.monotonic() - asked_s > _STOP_TIMEOUT_S:
                break
            while self.waiting and len(self.workers) < _capacity(self.waiting[0].job):
                task = self.waiting.pop(0)
                try:
                    self._begin(task)
                except (
                    LockedError
                ):  # another process may train it for hours: continue with the others, and retry this one
                    self.waiting.append(task)
                    break
            self._listen(is_asked=asked_s is not None)
        return [self.outcomes.get(number, TrainingStopped()) for number in range(len(jobs))]

    def end(self) -> None:
        """Kill the workers and unlock all runs."""
        import ray

        for worker in self.workers:
            ray.kill(worker.actor)
            worker.task.runs.close()
        self._drop_waiting()

    def _drop_waiting(self) -> None:
        """Drop the waiting jobs, and unlock the runs of those that lost a worker."""
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
            self.images = {job.digest: ray.put(load_data(job))}  # all jobs of a command use one dataset
        if job.uses not in self.artifacts:
            self.artifacts = {job.uses: ray.put(load_artifacts(job))}
        options = job.options
        resources: dict[str, Any] = {"num_cpus": options.threads or 1, "max_restarts": 0, "max_task_retries": 0}
        if options.device.startswith("cuda"):
            options = evolve(options, device="cuda")  # the only one that Ray makes visible
            resources["num_gpus"] = 1
        actor: Any = ray.remote(RemoteWorker).options(**resources).remote()
        if task.tries:  # resume from the state that the last worker sent back
            options = evolve(options, restart=False)
        deltas = {} if options.restart else task.runs.deltas()
        portable = evolve(job.portable(), options=options)
        started = actor.start.remote(portable, self.images[job.digest], deltas, self.artifacts[job.uses])
        self.workers.append(_WorkerHandle(actor, task, started))

    def _listen(self, *, is_asked: bool) -> None:
        import ray

        answers = [worker.answer for worker in self.workers]
        # Ask for all that are ready: with a smaller number, Ray would always prefer the first ones.
        ready, _ = ray.wait(answers, num_returns=len(answers), timeout=_POLL_S) if answers else ([], [])
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
                worker.answer = worker.actor.messages.remote(_POLL_S)

    def _lose(self, task: "_PendingJob", error: Exception, *, is_asked: bool) -> None:
        task.tries += 1
        why = str(error).strip().partition("\n")[0]
        if is_asked:
            self._conclude(task, TrainingStopped())
        elif task.tries > self.max_retries:
            help_text = "rerun the same command to resume from the last epoch that was copied back"
            self._conclude(
                task, TrainingFailed(f"its worker was lost {task.tries} times, most recently: {why}", (help_text,))
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
    answer: Any  # the reference to the result of its last call


def _capacity(job: Job) -> int:
    """How many jobs like this one the cluster can run at a time; at least one, which may wait for a node."""
    cpus, gpus, _ = cluster_resources()
    by_cpus = cpus // (job.options.threads or 1)
    return max(1, min(by_cpus, gpus) if job.options.device.startswith("cuda") else by_cpus)
