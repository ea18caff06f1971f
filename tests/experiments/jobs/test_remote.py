"""What works on a job on another machine, without the other machine."""

import json
import os
import tempfile
import time
from pathlib import Path

import pytest

from cifar_dsl import api
from cifar_dsl.experiments.jobs import remote
from cifar_dsl.experiments.jobs.remote import RemoteRuns, RemoteWorker
from cifar_dsl.foundation.errors import LockedError
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
    assert str(error) in last.event.message
    assert bool(last.event.trace) is is_bug
    assert list(elsewhere.glob("cifar-dsl-*")) == []
