"""Jobs one after another in this process."""

from collections.abc import Callable, Sequence
from functools import partial

from attrs import define

from cifar_dsl.experiments.jobs.executor import OnEvent
from cifar_dsl.experiments.jobs.job import Event, Failed, Finished, Job, Stopped, run_job


@define
class InlineExecutor:
    """Runs one job at a time; no process needs to start."""

    def run(
        self, jobs: Sequence[Job], on_event: OnEvent, wants_stop: Callable[[], bool] = lambda: False
    ) -> list[Event]:
        """The last event of each job; jobs that nobody began when it was to stop are Stopped."""
        outcomes: list[Event] = []
        for number, job in enumerate(jobs):
            if wants_stop():
                break
            run_job(job, partial(self._take, outcomes, on_event, number), wants_stop)
        return [*outcomes, *(Stopped() for _ in jobs[len(outcomes) :])]

    def _take(self, outcomes: list[Event], on_event: OnEvent, number: int, event: Event) -> None:
        if isinstance(event, Finished | Stopped | Failed):
            outcomes.append(event)
        on_event(number, event)
