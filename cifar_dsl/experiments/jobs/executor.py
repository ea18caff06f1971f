"""The interface of executors."""

from collections.abc import Callable, Sequence
from typing import Protocol

from cifar_dsl.experiments.jobs.job import Job
from cifar_dsl.training.events import Event, FinalEvent

JobListener = Callable[[int, Event], None]


class Executor(Protocol):
    """Runs jobs. `listener` receives every event, with the number of its job."""

    def run(self, jobs: Sequence[Job], listener: JobListener, wants_stop: Callable[[], bool] = ...) -> list[FinalEvent]:
        """Return the final event of each job; TrainingStopped for a job not started before `wants_stop` became true."""
        ...
