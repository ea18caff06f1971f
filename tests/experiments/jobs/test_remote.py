"""What works on a job on another machine, without the other machine."""

import json
import os
import re
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from helpers.specs import TRAIN, text_of

from cifar_dsl import api
from cifar_dsl.experiments.jobs import remote
from cifar_dsl.experiments.jobs.remote import RemoteRuns, RemoteWorker
from cifar_dsl.foundation.errors import DiskFullError, LockedError, RunError
from cifar_dsl.runs import RunWriter, partial_path, run_path
from cifar_dsl.training.events import EpochEnded, FinalEvent, TrainingEnded, TrainingFailed
from cifar_dsl.training.options import RunOptions


@pytest.fixture
def sent(tiny, pictures, tmp_path):
    """A job of the tiny spec, and its images."""
    spec, dataset = api.open_data(api.load(tiny), f"npz:{pictures}")
    return api.job(spec, dataset, (0,), RunOptions(runs=tmp_path / "runs", device="cpu", threads=1)), dataset


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Where the other machine has its temporary files."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def messages(worker):
    """All messages, up to the final one."""
    found, end = [], time.monotonic() + 60
    while not found or not isinstance(found[-1].event, FinalEvent):
        assert time.monotonic() < end, "no final event"
        found += worker.messages(0.1)
    return found


def test_messages_build_the_run_here_and_the_worker_leaves_no_files(sent, elsewhere):
    worker, runs = RemoteWorker(), RemoteRuns(sent[0])
    assert runs.lock() is None
    worker.start(*sent, runs.deltas())
    everything = messages(worker)
    assert list(elsewhere.glob("cifar-dsl-*")) == []
    finished = [runs.apply(one) for one in everything][-1]
    runs.close()
    assert isinstance(finished, TrainingEnded)
    assert (Path(finished.paths[0]) / "SHA256SUMS").is_file()


def refused(job):
    """The error of another process that tries to train the job's run."""
    with pytest.raises(LockedError) as caught:
        RunWriter(run_path(job.options.runs, job.spec, 0)).acquire()
    return caught.value.message


def test_a_lock_names_this_process_and_none_that_has_ended(sent, elsewhere):
    job, _ = sent
    partial = partial_path(run_path(job.options.runs, job.spec, 0))
    partial.mkdir(parents=True)
    (partial / "process.json").write_text(json.dumps({"process": 1, "host": "elsewhere"}))
    runs = RemoteRuns(job)
    assert runs.lock() is None
    assert f"is being trained by process {os.getpid()} on " in refused(job)
    runs.close()


def test_a_lock_names_this_process_once_an_epoch_is_copied_back(sent, elsewhere):
    worker, runs = RemoteWorker(), RemoteRuns(sent[0])
    assert runs.lock() is None
    worker.start(*sent, runs.deltas())
    epoch = next(one for one in messages(worker) if isinstance(one.event, EpochEnded))
    runs.apply(epoch)
    assert f"is being trained by process {os.getpid()} on " in refused(sent[0])
    runs.close()


@pytest.mark.parametrize(
    ("error", "is_bug"), [(OSError(28, "No space left on device", "epoch"), False), (ValueError("odd"), True)]
)
def test_an_error_before_training_is_reported_too(sent, elsewhere, monkeypatch, error, is_bug):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(remote, "apply_delta", fail)
    worker = RemoteWorker()
    worker.start(*sent, {0: None})
    (last,) = messages(worker)
    assert isinstance(last.event, TrainingFailed)
    assert last.event.message == ("ValueError: odd" if is_bug else "epoch: No space left on device")
    assert bool(last.event.trace) is is_bug
    assert not last.event.disk_is_full  # that of the runs
    assert list(elsewhere.glob("cifar-dsl-*")) == []


def without(message, name):
    """The message without a file."""
    delta = message.deltas[0]
    changed = {each: content for each, content in delta.changed.items() if each != name}
    return evolve(message, deltas={0: evolve(delta, changed=changed)})


def changed(message, name, content):
    """The message with another content of a file."""
    delta = message.deltas[0]
    return evolve(message, deltas={0: evolve(delta, changed={**delta.changed, name: content})})


def with_result(message, change):
    return evolve(message, results={0: change(message.results[0])})


DAMAGES = {
    "no result": (lambda one: with_result(one, lambda _: "{"), "result.json is damaged"),
    "nested result": (lambda one: with_result(one, lambda _: "[" * 100_000), "result.json is damaged"),
    "impossible result": (
        lambda one: with_result(one, lambda text: json.dumps(json.loads(text) | {"accuracy": 2.0})),
        "result.json is damaged: .*accuracy",
    ),
    "other result": (
        lambda one: with_result(one, lambda text: json.dumps(json.loads(text) | {"time_s": 1.0})),
        "result.json is not the file that was written",
    ),
    "a record of an earlier schema, without sums": (
        lambda one: changed(
            without(one, "SHA256SUMS"),
            "run.json",
            json.dumps(json.loads(one.deltas[0].changed["run.json"]) | {"schema": 2}).encode(),
        ),
        "result.json is not the file that was written",
    ),
    "no weights": (lambda one: without(one, "weights.safetensors"), "weights.safetensors can't be read"),
    "other weights": (
        lambda one: changed(one, "weights.safetensors", b"other"),
        "weights.safetensors is not the file that was written",
    ),
    "no sums": (lambda one: without(one, "SHA256SUMS"), "SHA256SUMS can't be read"),
    "other record": (lambda one: changed(one, "run.json", b"{}"), "arrived with the record of another training"),
    "a result among the files": (lambda one: changed(one, "result.json", b"{}"), "is not the name of a run's file"),
    "a file elsewhere": (lambda one: changed(one, "../x", b""), "is not the name of a run's file"),
    "a file in the place of a folder": (lambda one: changed(one, "run.json/x", b""), "run.json"),
    "another seed": (lambda one: evolve(one, results={7: one.results[0]}), "sent files of seed 7"),
}


@pytest.fixture(scope="module")
def last_message(tmp_path_factory):
    """The job of a tiny training, and the last message about it, with all files."""
    folder = tmp_path_factory.mktemp("damaged")
    spec = folder / "tiny.arch"
    spec.write_text(text_of("flatten -> dense(10)", size="3x32x32") + TRAIN)
    random = np.random.default_rng(0)
    names = {"train": 40, "test": 20}
    arrays = {f"x_{name}": random.integers(0, 256, (n, 32, 32, 3), np.uint8) for name, n in names.items()}
    np.savez(folder / "own.npz", **arrays, **{f"y_{name}": np.arange(n) % 10 for name, n in names.items()})
    opened, dataset = api.open_data(
        api.load(spec, overrides=["train.epochs=1", "train.batch=16"]), f"npz:{folder / 'own.npz'}"
    )
    job = api.job(opened, dataset, (0,), RunOptions(runs=folder / "runs", device="cpu", threads=1))
    worker = RemoteWorker()
    worker.start(job, dataset, {})
    everything = messages(worker)
    files = {name: content for one in everything if one.deltas for name, content in one.deltas[0].changed.items()}
    last = everything[-1]
    return job, evolve(last, deltas={0: evolve(last.deltas[0], changed=files)})


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_results_of_a_worker_fail_the_job_and_make_no_run(last_message, tmp_path, damage):
    change, problem = DAMAGES[damage]
    job, message = last_message
    job = evolve(job, options=evolve(job.options, runs=tmp_path / "runs"))
    runs = RemoteRuns(job)
    assert runs.lock() is None
    failed = runs.apply(change(message))
    runs.close()
    assert isinstance(failed, TrainingFailed)
    assert re.search(problem, failed.message)
    assert not failed.trace
    assert not run_path(job.options.runs, job.spec, 0).exists()
    again = RemoteRuns(job)  # the same command, run again
    assert again.lock() is None
    assert isinstance(again.apply(message), TrainingEnded)
    again.close()


@pytest.mark.parametrize(
    ("error", "message", "help_", "disk_is_full"),
    [
        (DiskFullError("a can't be written", "free some space"), "a can't be written", "free some space", True),
        (RunError("a isn't b", reason="it differs"), "a isn't b: it differs", "rerun the same command", False),
        (OSError(28, "No space left on device", "a"), "a: No space left on device", "rerun the same command", True),
    ],
)
def test_a_message_that_cannot_be_written_fails_with_the_advice_of_the_error(
    last_message, tmp_path, monkeypatch, error, message, help_, disk_is_full
):
    def fail(*_: object, **__: object) -> None:
        raise error

    job, last = last_message
    runs = RemoteRuns(evolve(job, options=evolve(job.options, runs=tmp_path / "runs")))
    assert runs.lock() is None
    monkeypatch.setattr(remote, "apply_delta", fail)
    failed = runs.apply(last)
    runs.close()
    assert (failed.message, failed.disk_is_full) == (message, disk_is_full)
    assert failed.help[0].startswith(help_)
