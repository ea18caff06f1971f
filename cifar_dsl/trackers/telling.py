"""Events of jobs -> trackers."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from attrs import define, field

from cifar_dsl.jobs import EpochEnded, Event, Failed, Finished, Job, Noted, Stopped
from cifar_dsl.runs import open_run
from cifar_dsl.semantics import analyze_text
from cifar_dsl.syntax import print_chain
from cifar_dsl.trackers.base import Tracker, Training, open_tracker

T = TypeVar("T")


@define
class Telling:
    """Tells trackers of these `names` what becomes of jobs. One that fails is told of by `note`, and no longer used."""

    names: Sequence[str]
    jobs: Sequence[Job]
    note: Callable[[int, Noted], None]
    log_dir: Path | None = None
    _trackers: dict[tuple[int, int], dict[str, Tracker]] = field(factory=dict, init=False)  # by job and seed, by name
    _lost: set[str] = field(factory=set, init=False)

    def take(self, number: int, event: Event) -> None:
        """Tell an event of a job."""
        if not self.names:
            return
        job = self.jobs[number]
        if isinstance(event, EpochEnded):
            for name, tracker in self._of(number, event.seed).items():
                self._try(number, name, partial(tracker.add_epoch, event.metrics))
        elif isinstance(event, Finished | Stopped | Failed):
            paths = event.paths if isinstance(event, Finished) else [None] * len(job.seeds)
            for seed, path in zip(job.seeds, paths, strict=True):
                for name, tracker in self._trackers.pop((number, seed), {}).items():
                    self._try(number, name, partial(_end, tracker, path))

    def _of(self, number: int, seed: int) -> dict[str, Tracker]:
        """The trackers of a training, which are opened when it has its first epoch."""
        if (number, seed) not in self._trackers:
            found = {name: self._opened(number, seed, name) for name in self.names}
            self._trackers[number, seed] = {name: tracker for name, tracker in found.items() if tracker}
        return self._trackers[number, seed]

    def _opened(self, number: int, seed: int, name: str) -> Tracker | None:
        training = _training(self.jobs[number], seed, name, self.log_dir)
        return self._try(number, name, partial(open_tracker, name, training))

    def _try(self, number: int, name: str, tell: Callable[[], T]) -> T | None:
        if name in self._lost:
            return None
        try:
            return tell()
        except Exception as error:  # noqa: BLE001  # whatever it is, a training goes on
            self._lost.add(name)
            why = str(error).partition("\n")[0]
            self.note(number, Noted(f"{name} is told no more: {type(error).__name__}: {why}"))
        return None


def _end(tracker: Tracker, path: str | None) -> None:
    tracker.end(open_run(Path(path)).result() if path else None)


def _training(job: Job, seed: int, name: str, log_dir: Path | None) -> Training:
    analysis = analyze_text(job.spec_text, f"{job.name}.arch")
    params = {
        "spec": job.called,
        "fingerprint": job.fingerprint,
        "seed": str(seed),
        "data_digest": job.digest,
        "parameters": str(analysis.graph.cost.parameters),
        "macs": str(analysis.graph.cost.macs),
        **{f"train.{setting}": print_chain(said.chain) for setting, said in analysis.program.settings.items()},
    }
    return Training(job.name, job.fingerprint, seed, params, name, Path(job.runs), log_dir)
