"""Whoever works jobs off."""

from collections.abc import Callable, Sequence
from typing import Protocol

from cifar_dsl.experiments.jobs.job import Event, Job

OnEvent = Callable[[int, Event], None]


class Executor(Protocol):
    """Works jobs off; `on_event` is told everything, with the number of the job."""

    def run(self, jobs: Sequence[Job], on_event: OnEvent, wants_stop: Callable[[], bool] = ...) -> list[Event]:
        """The last event of each job; jobs that nobody began when it was to stop are Stopped."""
        ...
