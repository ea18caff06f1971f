"""Which job begins when, and who is listened to, without a cluster: Ray's place is taken by threads."""

import itertools
import sys
import threading
import time

import pytest
from attrs import evolve
from helpers.ray_here import ray_here

from cifar_dsl import api
from cifar_dsl.experiments.jobs import remote
from cifar_dsl.experiments.jobs.ray import RayExecutor
from cifar_dsl.runs import RunWriter, run_path
from cifar_dsl.training.events import Event, Note, TrainingFailed, TrainingStopped
from cifar_dsl.training.options import RunOptions

TRIED = TrainingFailed("tried")


@pytest.fixture
def jobs(tiny, pictures, tmp_path):
    """Three jobs of the tiny spec, a seed each, which wait for runs that others train."""
    spec, dataset = api.open_data(api.load(tiny), f"npz:{pictures}")
    one = api.job(spec, dataset, (0,), RunOptions(runs=tmp_path / "runs", device="cpu", threads=1, wait=True))
    return [evolve(one, seeds=(seed,)) for seed in range(3)]


@pytest.fixture
def cluster(monkeypatch):
    """A cluster with `cpus` CPUs whose workers run `work`."""

    def make(cpus, work):
        monkeypatch.setitem(sys.modules, "ray", ray_here(cpus))
        monkeypatch.setattr(remote, "run_job", work)
        return RayExecutor()

    return make


@pytest.fixture
def locked(jobs):
    """The first job's run is trained by another; it ends after a while."""
    job = jobs[0]
    other = RunWriter(run_path(job.options.runs, job.spec, 0))
    other.acquire()
    end = threading.Timer(60, other.close)
    end.start()
    yield other
    end.cancel()
    other.close()


def test_a_run_that_another_process_trains_keeps_no_other_job_waiting(jobs, cluster, locked):
    events: list[tuple[int, Event]] = []

    def take(number: int, event: Event) -> None:
        events.append((number, event))
        if len(events) == 2:
            locked.close()

    executor = cluster(1, lambda job, report, *_: report(TRIED))
    assert executor.run(jobs, take) == [TRIED] * 3
    assert events == [(1, TRIED), (2, TRIED), (0, TRIED)]


def test_to_stop_ends_the_waiting_for_another_process(jobs, cluster, locked):
    asked = itertools.count()
    executor = cluster(1, lambda job, report, *_: report(TRIED))
    assert executor.run(jobs[:1], lambda *_: None, lambda: next(asked) >= 3) == [TrainingStopped()]


def test_every_worker_is_polled_however_many_messages_the_first_has(jobs, cluster):
    def talk(job, report, wants_stop, *_) -> None:
        while not wants_stop():
            report(Note("and on"))
            time.sleep(0.01)
        report(TrainingStopped())

    heard: list[int] = []

    def take(number: int, _: Event) -> None:
        heard.append(number)
        time.sleep(0.02)  # meanwhile all have more messages

    cluster(3, talk).run(jobs, take, lambda: len(set(heard)) == 3 or len(heard) > 3000)
    assert set(heard) == {0, 1, 2}
