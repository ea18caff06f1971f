"""Data files that change while, or after, they are read: a run is of one content, which its record names."""

import os

import numpy as np
import pytest
from helpers.training import terminated_after

from cifar_dsl.experiments.jobs import job
from cifar_dsl.foundation.errors import DataError
from cifar_dsl.runs import open_run
from cifar_dsl.training.datasets import load_dataset, store
from cifar_dsl.training.learner import Learner


def overwritten(path, content):
    """Write to the same file, as a copying program does."""
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(content)


def replaced(path, content):
    """Put another file in its place."""
    path.with_suffix(".new").write_bytes(content)
    path.with_suffix(".new").replace(path)


def truncated(path, content):
    os.truncate(path, len(content) // 2)


CHANGES = (overwritten, replaced, truncated)


@pytest.fixture
def other(make_pictures):
    """The content of another file, with arrays of the same sizes."""
    return make_pictures("other.npz", seed=1).read_bytes()


def digest_or_refusal(path):
    try:
        return load_dataset("npz", path=path).digest
    except DataError as error:
        return error.message


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("after", range(1, 5))
def test_a_file_that_changes_while_it_is_read_is_refused_or_read_as_it_was(pictures, other, monkeypatch, change, after):
    before = load_dataset("npz", path=pictures).digest
    read, count = store._read, 0

    def disturbed(path, *more):
        nonlocal count
        array = read(path, *more)
        count += 1
        if count == after:
            change(path, other)
        return array

    monkeypatch.setattr(store, "_read", disturbed)
    found = digest_or_refusal(pictures)
    assert found == before or (change is not replaced and "is damaged" in found)
    assert found != before or change is replaced or after > 1  # the last bytes may have been read ahead


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_during_training_changes_nothing(train, pictures, other, tmp_path, monkeypatch, change):
    train("--runs", "undisturbed")
    expected = open_run(tmp_path / "undisturbed")
    take, count = Learner.step, 0

    def step(learner: Learner) -> None:
        nonlocal count
        take(learner)
        count += 1
        if count == 2:
            change(pictures, other)

    monkeypatch.setattr(Learner, "step", step)
    assert train().code == 0
    run = open_run(tmp_path / "runs")
    assert run.record().data.digest == expected.record().data.digest
    assert run.weights.read_bytes() == expected.weights.read_bytes()
    labels = [np.load(each.path / "predictions.npz")["labels"] for each in (run, expected)]
    assert np.array_equal(*labels)


def test_an_interrupted_run_of_a_changed_file_is_named_and_stays(train, cli, pictures, other, tmp_path):
    with terminated_after(lambda learner: learner.epoch == 2):
        assert train().code == 143
    (partial,) = (path.relative_to(tmp_path) for path in tmp_path.glob("runs/*/seed-0.partial"))
    content = pictures.read_bytes()
    replaced(pictures, other)
    job._dataset.cache_clear()  # as in a new process
    refused = cli("train", "--resume", partial)
    assert refused.code == 1
    assert f"{partial} was trained on other data" in refused.err
    again = train()
    assert again.code == 0
    assert f"warning: {pictures} has changed since {partial} was interrupted, so a new run begins" in again.err
    replaced(pictures, content)
    assert "resuming tiny seed 0 at epoch 2" in train().err
