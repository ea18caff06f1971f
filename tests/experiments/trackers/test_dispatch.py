"""Which tracker hears what, also where some fail, and that all hear of an end."""

import threading
from contextlib import suppress

import pytest
from attrs import define, field
from helpers.runs import EPOCH, identity

from cifar_dsl.experiments.jobs import Job
from cifar_dsl.experiments.trackers import TrackerDispatcher, dispatch
from cifar_dsl.experiments.trackers.background import Background
from cifar_dsl.experiments.trackers.base import Training
from cifar_dsl.runs import RunIdentity
from cifar_dsl.training.events import EpochEnded, Note, TrainingFailed, TrainingStopped

SPEC = "arch mine\ninput 3x32x32\nmodel { flatten -> dense(10) }\n"


def job(*seeds: int) -> Job:
    return Job(SPEC, identity(), "shapes", "ab" * 32, seeds)


@define
class Heard:
    """What trackers of each seed heard; those of the seeds in `failing` raise when they hear of an epoch."""

    failing: set[int] = field(factory=set)
    epochs: list[int] = field(factory=list)
    ends: list[int] = field(factory=list)
    notes: list[str] = field(factory=list)

    def dispatcher(self, *jobs: Job) -> TrackerDispatcher:
        return TrackerDispatcher(["wandb"], jobs, lambda _, note: self.notes.append(note.text))


@pytest.fixture
def heard(monkeypatch):
    found = Heard()

    @define
    class Tracker:
        seed: int

        def add_epoch(self, _):
            if self.seed in found.failing:
                raise ConnectionError("one request failed")
            found.epochs.append(self.seed)

        def end(self, _):
            found.ends.append(self.seed)

    monkeypatch.setattr(dispatch, "open_tracker", lambda _, training: Tracker(training.identity.seed))
    return found


def test_one_that_fails_is_lost_alone_and_hears_of_the_end(heard):
    heard.failing |= {1, 2}
    with heard.dispatcher(job(0), job(1, 2), job(3)) as trackers:
        for _ in range(2):
            for number, seed in ((0, 0), (1, 1), (1, 2), (2, 3)):
                trackers.dispatch(number, EpochEnded(seed, EPOCH, 500))
            trackers.wait()
            heard.failing.clear()
        trackers.wait()
        assert heard.epochs == [0, 3, 0, 3]
        for number, event in enumerate((TrainingStopped(), TrainingFailed("why"), TrainingStopped())):
            trackers.dispatch(number, event)
        trackers.wait()
        assert heard.ends == [0, 1, 2, 3]
    assert heard.ends == [0, 1, 2, 3]
    assert heard.notes == ["wandb logging failed and is now off for mine seed 1: ConnectionError: one request failed"]


def test_one_that_can_not_be_opened_keeps_no_other_from_it(heard, monkeypatch):
    opened = dispatch.open_tracker
    monkeypatch.setattr(dispatch, "open_tracker", lambda name, one: opened(name, one) if one.identity.seed else 1 / 0)
    with heard.dispatcher(job(0), job(1)) as trackers:
        for number in (0, 1, 0, 1):
            trackers.dispatch(number, EpochEnded(number, EPOCH, 500))
    assert (heard.epochs, heard.ends) == ([1, 1], [1])
    assert len(heard.notes) == 1


def test_all_open_trackers_are_ended_if_the_command_is_interrupted(heard):
    with suppress(KeyboardInterrupt), heard.dispatcher(job(0), job(1)) as trackers:
        trackers.dispatch(0, Note("begins"))
        trackers.dispatch(0, EpochEnded(0, EPOCH, 500))
        trackers.dispatch(1, EpochEnded(1, EPOCH, 500))
        raise KeyboardInterrupt
    assert heard.ends == [0, 1]


def test_one_that_never_answers_delays_no_event_and_no_other_tracker_and_is_given_up(heard, monkeypatch):
    answered = threading.Event()
    opened = dispatch.open_tracker
    monkeypatch.setattr(
        dispatch, "open_tracker", lambda name, one: answered.wait(60) if name == "mlflow" else opened(name, one)
    )
    notes = []
    with TrackerDispatcher(["mlflow", "wandb"], [job(0)], lambda _, note: notes.append(note.text)) as trackers:
        trackers.patience_s = 0.1
        for _ in range(3):
            trackers.dispatch(0, EpochEnded(0, EPOCH, 500))
        assert trackers._background["wandb"].wait(60)
        assert heard.epochs == [0, 0, 0]
    answered.set()
    assert notes == ["mlflow didn't respond within 0.1 s; its log of the last events is incomplete"]
    assert heard.ends == [0]


def test_one_that_is_slow_but_answers_is_waited_for():
    background, turns = Background(), []
    for turn in range(4):
        background.add(lambda turn=turn: (threading.Event().wait(0.05), turns.append(turn)))
    assert background.wait(patience_s=30)
    assert turns == [0, 1, 2, 3]
    background.close()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b'{"log": "run 7"}', "run 7"),
        (b'{"log": "run 7"}' + b" " * (1 << 14), None),
        (b"[" * 10_000, None),
        (b'{"log": 7}', None),
        (b"", None),
    ],
)
def test_the_last_log_is_what_we_remembered(content, name, tmp_path):
    training = Training(RunIdentity(identity(), 0, "ab" * 32), {}, "mlflow", tmp_path)
    assert training.last_log() is None
    training.remember_log("run 7")
    assert training.last_log() == "run 7"
    (training.folder / "log.json").write_bytes(content)
    assert training.last_log() == name
