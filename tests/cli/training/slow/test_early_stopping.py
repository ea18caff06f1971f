"""Trainings that end early: what their runs say, several seeds side by side, and resumption."""

import json

import pytest
from helpers.training import terminated_after

import cifar_dsl
from cifar_dsl.foundation.errors import SpecWarning
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.recorder import Recorder

OVERRIDES = ("train.epochs=30", "train.validation=20", "train.early_stopping=accuracy(2)", "train.optimizer.lr=0.01")


@pytest.fixture
def trained(tiny, pictures, tmp_path):
    def train(runs: str, *overrides: str):
        options = {"data": f"npz:{pictures}", "overrides": overrides or OVERRIDES, "device": "cpu", "threads": 1}
        return cifar_dsl.train(tiny, runs=tmp_path / runs, **options)

    return train


@pytest.fixture
def command(tiny, pictures, tmp_path, cli):
    def train(runs: str, *options: object):
        settings = [part for text in OVERRIDES for part in ("--set", text)]
        more = ["--data", f"npz:{pictures}", "--threads", "1", "--json", "--device", "cpu", "--runs", tmp_path / runs]
        return cli("train", tiny, *settings, *more, *options)

    return train


def test_a_run_ends_after_its_patience_and_says_so(trained):
    run = trained("runs")
    values = [metrics.validation_accuracy for metrics in run.metrics()]
    assert run.result().epochs == len(values) == values.index(max(values)) + 1 + 2 < 30
    assert run.result().stopped_early
    assert run.result().accuracy == run.metrics()[-1].test_accuracy
    assert run.result().best.epoch == len(values) - 2
    with pytest.warns(SpecWarning, match="W0406 early stopping has no effect"):
        whole = trained("runs", "train.epochs=2", *OVERRIDES[1:])
    assert (whole.result().epochs, whole.result().stopped_early) == (2, False)
    assert whole.metrics()[0].validation_accuracy == values[0]


def test_an_interrupted_run_resumes_to_the_same_end(trained, command):
    expected = trained("whole")
    last = expected.result().epochs
    for epoch, runs in ((2, "in the second epoch"), (last, "in the last epoch")):
        with terminated_after(lambda learner, at=epoch: learner.epoch == at):
            assert command(runs).code == 143
        resumed = trained(runs)
        assert resumed.record().resumed
        assert resumed.result().weights_digest == expected.result().weights_digest
        assert resumed.result().epochs == last


def test_a_run_killed_between_its_last_epoch_and_its_end_trains_no_further(trained, monkeypatch):
    expected = trained("whole")

    def fail(_: Recorder) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "commit", fail)
    with pytest.raises(KeyboardInterrupt):
        trained("killed")
    monkeypatch.undo()
    monkeypatch.setattr(Learner, "step", lambda _: pytest.fail("it trained on"))
    assert trained("killed").result().weights_digest == expected.result().weights_digest


def test_the_seeds_of_a_group_end_each_at_its_time(command):
    results = results_of(command("together", "--seeds", "3"))
    assert len({result["epochs"] for result in results}) > 1
    seed = min(range(3), key=lambda seed: results[seed]["epochs"])
    (alone,) = results_of(command("alone", "--seed", seed))
    for key in ("epochs", "weights_digest"):
        assert results[seed][key] == alone[key]


def results_of(outcome) -> list[dict[str, object]]:
    return [line for line in map(json.loads, outcome.out.splitlines()) if line["event"] == "result"]
