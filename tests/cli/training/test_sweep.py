"""`cifar-dsl sweep`."""

import errno
import json

import pytest

from cifar_dsl.runs import checkpoints

WITH_HEAD = """\
arch tiny

input 3x32x32

param head = [4]

model {
    flatten
    for width in head { dense(width) -> relu }
    dense(10)
}

train {
    data       shapes
    epochs     1
    batch      16
    optimizer  adam(lr=1e-3)
}
"""
HEADS = ("--set", "head=[4],[6],[6,4]")
RATES = ("--set", "train.optimizer.lr=1e-3,1e-2")


@pytest.fixture
def sweep(cli, make_spec, pictures):
    path = make_spec("tiny", WITH_HEAD)
    common = ("--data", f"npz:{pictures}", "--device", "cpu", "--jobs", 1)
    return lambda *more: cli("sweep", path, *common, *more)


def names(outcome) -> list[str]:
    return [line.split()[0] for line in outcome.out.split("\n\n")[0].splitlines()[1:]]


def rows(tmp_path) -> dict[str, dict]:
    found = json.loads((tmp_path / "comparison" / "comparison.json").read_text())["rows"]
    return {row["name"]: row for row in found}


def test_every_combination_is_trained_and_compared_with_the_spec_itself(sweep, tmp_path):
    outcome = sweep(*HEADS, *RATES, "--seeds", 2, "--no-chart")
    assert outcome.code == 0
    expected = ["tiny", "tiny[head=4,lr=1e-2]"]
    expected += [f"tiny[head={head},lr={lr}]" for head in ("6", "[6,4]") for lr in ("1e-3", "1e-2")]
    assert names(outcome) == expected
    assert "runs: 0 exist, 12 to train" in outcome.err
    assert "tiny[head=4,lr=1e-3] is the same as tiny (equal fingerprints)\n" in outcome.err
    assert "tiny[head=6,lr=1e-3] seed 1  epoch 1/1" in outcome.err
    found = rows(tmp_path)
    assert found["tiny[head=[6,4],lr=1e-2]"]["changes"] == ["head = [6, 4]", "optimizer.lr 1e-2"]
    assert len({row["fingerprint"] for row in found.values()}) == 6
    report = (tmp_path / "comparison" / "report.html").read_text()
    assert "tiny[head=6,lr=1e-2]" in report
    assert "optimizer.lr: 0.001 -&gt; 0.01" in report


def test_runs_are_those_of_train_and_compare(sweep, cli, pictures, tmp_path):
    data = ("--data", f"npz:{pictures}", "--device", "cpu", "--jobs", 1)
    cli("train", tmp_path / "tiny.arch", *data, "--set", "head=[6]", "-q")
    assert "runs: 1 exist, 1 to train" in sweep("--set", "head=[4],[6]", "--no-chart").err
    before = rows(tmp_path)["tiny[head=6]"]
    outcome = cli("compare", tmp_path / "tiny.arch", *data, "--set", "head=[6]", "--no-chart")
    assert "epoch" not in outcome.err  # nothing was trained
    assert rows(tmp_path)["tiny"]["accuracies"] == before["accuracies"]
    assert "2 exist, 1 to train" in sweep("--set", "head=[4],[6],[8]", "--no-chart").err


def test_one_of_the_grid_may_be_the_baseline_in_place_of_the_spec(sweep):
    outcome = sweep("--set", "head=[6],[8]", "--baseline", "tiny[head=8]", "--no-chart")
    assert names(outcome) == ["tiny[head=8]", "tiny[head=6]"]
    refused = sweep("--set", "head=[6],[8]", "--baseline", "tiny[head=7]", "--no-chart")
    assert refused.code == 1
    assert "choose one of tiny[head=6], tiny[head=8]" in refused.err


def test_one_value_holds_for_the_spec_itself_too(sweep, tmp_path):
    sweep("--set", "train.epochs=2", "--set", "head=[4],[6]", "--no-chart")
    found = rows(tmp_path)
    assert list(found) == ["tiny", "tiny[head=6]"]
    for path in tmp_path.glob("runs/*/seed-0/result.json"):
        assert json.loads(path.read_text())["epochs"] == 2


def test_a_dry_run_lists_the_grid_and_trains_nothing(sweep, tmp_path):
    sweep("--set", "head=[4],[6]", "--seeds", 2, "--no-chart", "-q")
    before = sorted(tmp_path.rglob("runs/**"))
    outcome = sweep(*HEADS, *RATES, "--seeds", 2, "--dry-run")
    assert outcome.code == 0
    assert names(outcome)[0] == "tiny"
    assert [line.split()[-3:] for line in outcome.out.splitlines() if line.startswith("tiny")] == [
        ["2", "of", "2"],
        ["0", "of", "2"],
        ["2", "of", "2"],
        *[["0", "of", "2"]] * 3,
    ]
    assert "6 specs x 2 seeds; runs: 4 exist, 8 to train, about " in outcome.out
    assert sorted(tmp_path.rglob("runs/**")) == before


def test_a_dry_run_downloads_nothing_and_takes_other_data(cli, make_spec, tmp_path):
    outcome = cli("sweep", make_spec("tiny", WITH_HEAD), "--data", "cifar10", *HEADS, "--dry-run")
    assert outcome.code == 0
    assert "3 specs x 1 seed; runs: 0 exist, 3 to train, at least " in outcome.out
    assert not (tmp_path / "data").exists()


def test_without_values_an_example_is_named(sweep):
    outcome = sweep()
    assert outcome.code == 2
    assert "Missing option '--set'. Name what varies, such as --set train.optimizer.lr=1e-3,3e-4" in outcome.err


def test_an_error_in_a_value_is_reported_once_before_training(sweep, tmp_path):
    outcome = sweep("--set", "head=[4],[-6]", *RATES, "--no-chart")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.count("error[E0304]") == 1
    assert "--> --set\n" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_an_error_in_the_text_of_values_has_its_location(sweep):
    outcome = sweep("--set", "head=[4],,[6]")
    assert outcome.code == 1
    assert "--> --set\n" in outcome.err


def test_different_data_are_refused_before_training(cli, make_spec, monkeypatch, tmp_path):
    from cifar_dsl import api

    def pretend(specs, *_: object, **__: object):
        from attrs import evolve

        from cifar_dsl.training.datasets import load_dataset

        shapes = load_dataset("shapes")
        return [(spec, evolve(shapes, y_test=(shapes.y_test + i) % 10)) for i, spec in enumerate(specs)]

    monkeypatch.setattr(api, "open_data_for_all", pretend)
    outcome = cli("sweep", make_spec("tiny", WITH_HEAD), "--set", "head=[4],[6]", "--no-chart")
    assert outcome.code == 1
    assert "the specs use different datasets" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_a_full_disk_ends_the_sweep_at_the_first_training(sweep, monkeypatch):
    def fail(path, _content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "write_atomically", fail)
        outcome = sweep(*HEADS, "--no-chart")
    assert outcome.code == 1
    assert outcome.err.count("could not be trained: runs/tiny-") == 1
    assert "  = help: free some space, then rerun the command to resume from the last checkpoint\n" in outcome.err
    assert "the disk is full: 2 of 3 jobs stopped, or didn't start\n" in outcome.err
    assert sweep(*HEADS, "--no-chart").code == 0


def test_a_value_that_is_given_twice_is_reported_once(sweep):
    outcome = sweep("--set", "train.optimizer.lr=" + "1e-3," * 20 + "1e-2,1e-2,0.01", "--dry-run")
    assert names(outcome) == ["tiny", "tiny[lr=1e-2]"]
    said = [line for line in outcome.err.splitlines() if "is the same as" in line]
    assert said == [
        "tiny[lr=1e-3] is the same as tiny (equal fingerprints)",
        "tiny[lr=0.01] is the same as tiny[lr=1e-2] (equal fingerprints)",
    ]


@pytest.mark.parametrize(("way", "search"), [("--until-decided", "find_best"), ("--halving", "halve")])
def test_the_command_that_trains_the_best_names_a_shipped_spec_as_it_was_named(cli, monkeypatch, way, search):
    targets = []
    monkeypatch.setattr(f"cifar_dsl.cli.best.{search}", lambda _, target, __: targets.append(target) or 0)
    assert cli("sweep", "baseline", "--set", "train.batch=64,128", "--data", "shapes", way).code == 0
    assert targets == [["baseline", "--data", "shapes"]]
