"""What works on a job on another machine, without the other machine."""

import tempfile
import time
from pathlib import Path

import pytest

from cifar_dsl import api
from cifar_dsl.jobs import Failed, Finished, Stopped, remote
from cifar_dsl.jobs.remote import Home, Laboratory


@pytest.fixture
def sent(tiny, pictures, tmp_path):
    """A job of the tiny spec, and its images."""
    spec, dataset = api.open_data(api.load(tiny), f"npz:{pictures}")
    return api.job(spec, dataset, (0,), runs=tmp_path / "runs", device="cpu", threads=1), dataset


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Where the other machine has its temporary files."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def told(laboratory):
    """Everything that is told, up to the end."""
    found, end = [], time.monotonic() + 60
    while not found or not isinstance(found[-1].event, Finished | Failed | Stopped):
        assert time.monotonic() < end, "nobody tells of an end"
        found += laboratory.told(0.1)
    return found


def test_what_is_told_makes_the_run_here_and_nothing_is_left_there(sent, elsewhere):
    laboratory, home = Laboratory(), Home(sent[0])
    assert home.open() is None
    laboratory.begin(*sent, home.parcels())
    everything = told(laboratory)
    assert list(elsewhere.glob("cifar-dsl-*")) == []
    finished = [home.take(one) for one in everything][-1]
    home.close()
    assert isinstance(finished, Finished)
    assert (Path(finished.paths[0]) / "SHA256SUMS").is_file()


@pytest.mark.parametrize(
    ("error", "is_bug"), [(OSError(28, "No space left on device", "epoch"), False), (ValueError("odd"), True)]
)
def test_what_goes_wrong_before_training_is_told_too(sent, elsewhere, monkeypatch, error, is_bug):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(remote, "unpack", fail)
    laboratory = Laboratory()
    laboratory.begin(*sent, {0: None})
    (last,) = told(laboratory)
    assert isinstance(last.event, Failed)
    assert str(error) in last.event.message
    assert bool(last.event.trace) is is_bug
    assert list(elsewhere.glob("cifar-dsl-*")) == []
