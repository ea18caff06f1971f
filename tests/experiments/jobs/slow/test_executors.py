"""Jobs in this process and in others: events, outcomes and failures."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace

import pytest
from attrs import evolve

from cifar_dsl import api
from cifar_dsl.experiments.jobs import InlineExecutor, Job, LocalExecutor, local
from cifar_dsl.runs import RunWriter, open_run, partial_path, run_path
from cifar_dsl.training.events import (
    EpochEnded,
    Event,
    FinalEvent,
    StepsDone,
    TrainingEnded,
    TrainingFailed,
    TrainingStarted,
    TrainingStopped,
)
from cifar_dsl.training.options import RunOptions


@pytest.fixture(scope="module", autouse=True)
def _quick_start() -> Iterator[None]:
    """Forks processes from one that has imported torch, which takes seconds; commands in other tests spawn theirs."""
    if os.name != "posix":
        yield
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cifar_dsl.training.session"])
    start = local._WorkerProcess.start.__func__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local._WorkerProcess, "start", classmethod(lambda cls, _, gpu: start(cls, context, gpu)))
        yield
    forkserver._forkserver._stop()


@pytest.fixture
def job(tiny, pictures, tmp_path):
    """A job of the tiny spec with some seeds, in another folder of runs."""
    spec, dataset = api.open_data(api.load(tiny), f"npz:{pictures}")

    def make(*seeds: int, runs: str = "runs", epochs: int = 2) -> Job:
        longer = api.with_overrides(spec, f"train.epochs={epochs}")
        return api.job(longer, dataset, seeds or (0,), RunOptions(runs=tmp_path / runs, device="cpu", threads=1))

    return make


def result(event: Event) -> tuple[float, bytes]:
    """Loss and weights of a job of one seed."""
    assert isinstance(event, TrainingEnded), event
    run = open_run(Path(event.paths[0]))
    return run.result().loss, run.weights.read_bytes()


def test_jobs_give_the_same_in_this_process_and_in_others(job):
    received: list[tuple[int, Event]] = []
    here = InlineExecutor().run([job(0), job(1)], lambda *event: None)
    there = LocalExecutor(2).run([job(0, runs="b"), job(1, runs="b")], lambda *event: received.append(event))
    assert [result(event) for event in here] == [result(event) for event in there]
    for number in (0, 1):
        events = [event for of, event in received if of == number]
        assert [event.metrics.epoch for event in events if isinstance(event, EpochEnded)] == [1, 2]
        assert [event.epochs_done for event in events if isinstance(event, StepsDone)][-1] == 2
        assert [event for event in events if isinstance(event, FinalEvent)] == [there[number]]


def test_seeds_of_one_job_are_trained_side_by_side_with_the_same_results(job):
    (together,) = InlineExecutor().run([job(0, 1, 2)], lambda *_: None)
    assert isinstance(together, TrainingEnded)
    for seed, path in enumerate(together.paths):
        (alone,) = InlineExecutor().run([job(seed, runs="alone")], lambda *_: None)
        run = open_run(Path(path))
        assert (run.result().loss, run.weights.read_bytes()) == result(alone)
        assert (run.record().seed, run.record().together) == (seed, 3)


@pytest.mark.parametrize("executor", [InlineExecutor(), LocalExecutor(1)], ids=lambda one: type(one).__name__)
def test_after_a_failed_job_the_others_continue(job, executor):
    wrong = evolve(job(0), digest="ab" * 32)
    first, second = executor.run([wrong, job(1)], lambda *_: None)
    assert isinstance(first, TrainingFailed)
    assert "has changed since the command began: its digest was abababababababab, and is now" in first.message
    assert first.trace is None
    assert isinstance(second, TrainingEnded)


def test_a_bug_is_reported_with_its_traceback(job, monkeypatch):
    monkeypatch.setattr("cifar_dsl.training.session.print_spec", lambda _: 1 / 0)
    (event,) = InlineExecutor().run([job(0)], lambda *_: None)
    assert isinstance(event, TrainingFailed)
    assert "ZeroDivisionError" in event.message
    assert "print_spec" in event.trace


@pytest.mark.skipif(os.name != "posix", reason="signals")
class _Closed:
    """The connection to a process that has died."""

    def recv(self) -> Event:
        raise EOFError

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("number", "is_wanted", "expected"),
    [
        (signal.SIGTERM, True, TrainingStopped),
        (signal.SIGUSR1, True, TrainingStopped),
        (signal.SIGTERM, False, TrainingFailed),
        (signal.SIGKILL, True, TrainingFailed),
    ],
)
def test_a_signal_to_all_processes_is_a_request_to_stop(number, is_wanted, expected):
    """A scheduler sends it to processes that have just started, too, which die of it."""
    process = SimpleNamespace(exitcode=-number, join=lambda _: None, is_alive=lambda: False)
    worker = local._WorkerProcess(process, _Closed(), None, number=0)
    events: list[Event] = []
    LocalExecutor(1)._listen(worker, [worker], {}, lambda _, event: events.append(event), lambda: is_wanted)
    assert [type(event) for event in events] == [expected]


def test_a_killed_process_fails_only_its_job_and_the_job_can_be_resumed(job, tmp_path):
    long = job(0, epochs=400)
    killed: list[int] = []

    def kill(number: int, event: Event) -> None:
        if number == 0 and isinstance(event, EpochEnded) and event.metrics.epoch == 3 and not killed:
            import json

            (place,) = tmp_path.glob("runs/*/seed-0.partial/process.json")
            killed.append(json.loads(place.read_text())["process"])
            os.kill(killed[0], signal.SIGKILL)

    first, second = LocalExecutor(1).run([long, job(1)], kill)
    assert isinstance(first, TrainingFailed)
    assert "ended by SIGKILL" in first.message
    assert isinstance(second, TrainingEnded)
    (partial,) = tmp_path.glob("runs/*/seed-0.partial")
    assert len((partial / "metrics.jsonl").read_text().splitlines()) >= 3


def test_a_process_that_dies_between_two_jobs_takes_none_with_it(job):
    killed: list[int | None] = []

    def kill(number: int, event: Event) -> None:
        if number == 0 and isinstance(event, TrainingFailed):
            (idle,) = multiprocessing.active_children()
            idle.kill()
            idle.join()
            killed.append(idle.pid)

    first, second = LocalExecutor(1).run([evolve(job(0), digest="ab" * 32), job(1)], kill)
    assert killed
    assert isinstance(first, TrainingFailed)
    assert isinstance(second, TrainingEnded)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("executor", [InlineExecutor(), LocalExecutor(1)], ids=lambda one: type(one).__name__)
def test_stopping_saves_progress_and_starts_no_other_job(job, executor, tmp_path):
    seen: list[Event] = []
    events = executor.run(
        [job(0, epochs=4000), job(1)],
        lambda _, event: seen.append(event),
        lambda: any(isinstance(event, EpochEnded) for event in seen),
    )
    assert [type(event) for event in events] == [TrainingStopped, TrainingStopped]
    (partial,) = tmp_path.glob("runs/*/*.partial")
    assert list(partial.glob("checkpoints/*"))
    assert partial == partial_path(partial.with_suffix(""))


@pytest.mark.parametrize("executor", [InlineExecutor(), LocalExecutor(1)], ids=lambda one: type(one).__name__)
def test_to_stop_ends_the_waiting_for_another_process_too(job, executor):
    one = job(0)
    waiting = evolve(one, options=evolve(one.options, wait=True))
    other = RunWriter(run_path(one.options.runs, one.spec, 0))
    other.acquire()
    end = threading.Timer(60, other.close)
    end.start()
    events: list[Event] = []
    outcomes = executor.run(
        [waiting],
        lambda _, event: events.append(event),
        lambda: any(isinstance(event, TrainingStarted) for event in events),
    )
    assert outcomes == [TrainingStopped()]
    assert end.is_alive(), "it waited until the run was free"
    end.cancel()
    other.close()


@pytest.mark.parametrize("last", [EpochEnded, TrainingEnded])
def test_an_exception_in_a_listener_is_no_failure_of_the_training(job, last):
    events: list[Event] = []

    def take(_: int, event: Event) -> None:
        events.append(event)
        if isinstance(event, last):
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        InlineExecutor().run([job(0), job(1)], take)
    assert isinstance(events[-1], last)
    assert [event for event in events if isinstance(event, FinalEvent)] == events[-1:] * (last is TrainingEnded)


def test_gpus_are_shared_out_among_the_processes(monkeypatch):
    """Their names alone: neither GPUs nor processes need to be there."""
    monkeypatch.setattr(local._WorkerProcess, "start", lambda _, gpu: SimpleNamespace(gpu=gpu, number=0))
    executor, workers = LocalExecutor(3, ("4", "7")), []
    while executor._free(workers):
        pass
    assert [worker.gpu for worker in workers] == ["4", "7", "4"]


def test_a_process_sees_its_gpu_alone(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    here, there = multiprocessing.Pipe()
    here.close()
    local._work(there, "7")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"
