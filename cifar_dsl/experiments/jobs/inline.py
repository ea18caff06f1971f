"""Run jobs one after another in this process."""

from collections.abc import Callable, Sequence
from functools import partial

from cifar_dsl.experiments.jobs.executor import JobListener
from cifar_dsl.experiments.jobs.job import Job, run_job
from cifar_dsl.foundation.records import define
from cifar_dsl.training.events import Event, FinalEvent, TrainingStopped


@define
class InlineExecutor:
    """Runs one job at a time, without starting a process."""

    def run(
        self, jobs: Sequence[Job], listener: JobListener, wants_stop: Callable[[], bool] = lambda: False
    ) -> list[FinalEvent]:
        """Run the jobs in order, each to its end, until `wants_stop`; see `Executor.run`."""
        outcomes: list[FinalEvent] = []
        for number, job in enumerate(jobs):
            if wants_stop():
                break
            run_job(job, partial(self._receive, outcomes, listener, number), wants_stop)
        return [*outcomes, *(TrainingStopped() for _ in jobs[len(outcomes) :])]

    def _receive(self, outcomes: list[FinalEvent], listener: JobListener, number: int, event: Event) -> None:
        if isinstance(event, FinalEvent):
            outcomes.append(event)
        listener(number, event)
