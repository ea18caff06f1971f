"""Dispatch the events of jobs to trackers."""

import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from cifar_dsl.experiments.jobs import Job
from cifar_dsl.experiments.trackers.background import Background
from cifar_dsl.experiments.trackers.base import Tracker, Training, open_tracker
from cifar_dsl.foundation.records import define, field
from cifar_dsl.language.syntax import print_chain
from cifar_dsl.runs import EpochMetrics, open_run
from cifar_dsl.training.events import EpochEnded, Event, FinalEvent, Note, TrainingEnded

_Key = tuple[int, int, str]  # of a tracker: job, seed, name
_PATIENCE_S = 10.0  # for a tracker to log an event, at the end


@define
class TrackerDispatcher:
    """Dispatches the events of jobs to the trackers in `names`; leaving the `with` block ends the open ones.

    Trackers log in the background, so a slow one delays no training. One that fails is off for the rest of that
    training, except for its end. `note` receives one Note per name, in the thread that dispatches.
    """

    names: Sequence[str]
    jobs: Sequence[Job]
    note: Callable[[int, Note], None]
    log_dir: Path | None = None
    patience_s: float = _PATIENCE_S
    _open: dict[_Key, Tracker] = field(factory=dict, init=False)
    _off: set[_Key] = field(factory=set, init=False)
    _noted: set[str] = field(factory=set, init=False)
    _notes: "queue.SimpleQueue[tuple[int, Note]]" = field(factory=queue.SimpleQueue, init=False)
    _background: dict[str, Background] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._background = {name: Background() for name in self.names}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self.names:
            self._background[name].add(partial(self._end_all, name))
        self.wait()
        for background in self._background.values():
            background.close()

    def dispatch(self, number: int, event: Event) -> None:
        """Dispatch an event of a job. Returns at once."""
        if isinstance(event, EpochEnded):
            for name in self.names:
                self._background[name].add(partial(self._add, (number, event.seed, name), event.metrics))
        elif isinstance(event, FinalEvent):
            seeds = self.jobs[number].seeds
            paths = event.paths if isinstance(event, TrainingEnded) else [None] * len(seeds)
            for seed, path in zip(seeds, paths, strict=True):
                for name in self.names:
                    self._background[name].add(partial(self._end, (number, seed, name), path))
        self._deliver_notes()

    def wait(self) -> None:
        """Wait until all events so far are logged, but at most `patience_s` for a single one."""
        for name, background in self._background.items():
            if not background.wait(self.patience_s):
                text = f"{name} didn't respond within {self.patience_s:g} s; its log of the last events is incomplete"
                self._notes.put((0, Note(text)))
        self._deliver_notes()

    def _deliver_notes(self) -> None:
        while not self._notes.empty():
            self.note(*self._notes.get())

    def _add(self, key: _Key, metrics: EpochMetrics) -> None:
        if key in self._off:
            return
        with self._turning_off(key):
            if key not in self._open:  # its first epoch
                number, seed, name = key
                training = _training(self.jobs[number], seed, name, self.log_dir, metrics.epoch)
                self._open[key] = open_tracker(name, training)
            self._open[key].add_epoch(metrics)

    def _end_all(self, name: str) -> None:
        for key in [key for key in self._open if key[2] == name]:
            self._end(key, None)

    def _end(self, key: _Key, path: str | None) -> None:
        if tracker := self._open.pop(key, None):
            with self._turning_off(key):
                tracker.end(open_run(Path(path)).result() if path else None)

    @contextmanager
    def _turning_off(self, key: _Key) -> Iterator[None]:
        """Turn the tracker off if it raises; the training continues."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self._off.add(key)
            number, seed, name = key
            if name not in self._noted:
                self._noted.add(name)
                why = str(error).partition("\n")[0]
                training = f"{self.jobs[number].display_name} seed {seed}"
                text = f"{name} logging failed and is now off for {training}: {type(error).__name__}: {why}"
                self._notes.put((number, Note(text)))


def _training(job: Job, seed: int, name: str, log_dir: Path | None, epoch: int) -> Training:
    analysis = job.analyzed()
    params = {
        "spec": job.display_name,
        "fingerprint": job.spec.fingerprint,
        "seed": str(seed),
        "data_digest": job.digest,
        "parameters": str(analysis.graph.cost.parameters),
        "macs": str(analysis.graph.cost.macs),
        **{f"train.{setting}": print_chain(value.chain) for setting, value in analysis.program.settings.items()},
    }
    return Training(job.identity(seed), params, name, job.options.runs, log_dir, epoch)
