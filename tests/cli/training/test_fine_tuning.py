"""`--from`: training from the weights of a run or a file."""

import re
import shutil
import signal

import pytest
from helpers.runs import rewrite
from safetensors.torch import load_file, save_file

import cifar_dsl
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.runs import open_run
from cifar_dsl.training.learner import Learner


@pytest.fixture
def source(train, tmp_path):
    """A plain run of the tiny spec, in a folder of its own."""
    assert train("--runs", "plain", "--set", "train.epochs=1").code == 0
    return open_run(tmp_path / "plain").path


def the_run(tmp_path):
    return open_run(tmp_path / "runs")


def test_a_run_starts_from_another_ones_weights_and_records_it(cli, train, source, tmp_path):
    outcome = train("--from", source, "--set", "train.epochs=1", "--set", "train.optimizer.lr=1e-30")
    assert outcome.code == 0
    assert "tensors start from tiny " in outcome.err
    run = the_run(tmp_path)
    (used,) = run.record().uses
    assert (used.kind, used.path) == ("weights", str(source))
    assert f'weights("{used.digest}")' in run.spec_text
    first, second = load_file(open_run(source).weights), load_file(run.weights)
    learned = [name for name in first if name.endswith(("weight", "bias"))]
    assert learned
    assert all(first[name].equal(second[name]) for name in learned)
    shown = cli("runs", "show", run.path).out
    assert f"weights {used.digest}: tiny " in shown


def test_it_is_never_mixed_with_a_plain_run(cli, train, tiny, pictures, source, tmp_path):
    one = ("--set", "train.epochs=1")
    plain = ("compare", tiny, "--data", f"npz:{pictures}", *one, "--no-train", "--no-report", "--no-chart")
    assert train(*one, "--from", source).code == 0
    assert "already trained" in train(*one, "--from", source).err
    nothing = cli(*plain)
    assert "no spec has a run" in nothing.err
    found = cli(*plain, "--from", source)
    assert found.code == 0
    assert "already trained" not in train(*one).err
    assert len(list((tmp_path / "runs").glob("tiny-*"))) == 2
    assert cli(*plain).code == 0


def test_the_same_weights_in_a_file_are_the_same_training(train, source, tmp_path):
    assert train("--from", source).code == 0
    save_file(load_file(open_run(source).weights), tmp_path / "copy.safetensors")
    assert "already trained" in train("--from", "copy.safetensors").err


def test_a_head_for_other_classes_starts_from_initial_weights(cli, train, source, pictures, tiny, tmp_path):
    weights = load_file(open_run(source).weights)
    *_, path = (name for name in weights if name.endswith("weight"))
    weights[path] = weights[path][:1].clone()
    save_file(weights | {"old": weights[path].clone()}, tmp_path / "other.safetensors")
    listed = cli("train", tiny, "--data", f"npz:{pictures}", "--from", "other.safetensors", "--dry-run")
    assert (listed.code, listed.err) == (0, "")
    assert f"tensors start from {tmp_path}/other.safetensors\n" in listed.out
    copied = [line.split() for line in listed.out.splitlines() if line.startswith("  copied")]
    assert sorted(copied) == [["copied", name] for name in sorted(weights) if name != path]
    assert re.search(
        rf"^  other shape there, so newly drawn +{path} \(1x.* there, 10x.* here\)$", listed.out, re.MULTILINE
    )
    assert re.search(r"^  unused +old$", listed.out, re.MULTILINE)
    assert not (tmp_path / "runs").exists()
    outcome = train("--from", "other.safetensors")
    assert outcome.code == 0
    assert f"other shape there, so newly drawn: {path} (" in outcome.err
    assert "unused: old" in outcome.err
    with pytest.warns(UserWarning, match="other shape there"):
        cifar_dsl.train(tiny, data=f"npz:{pictures}", start="other.safetensors", runs="python")


def test_an_interrupted_one_ends_with_the_same_weights(cli, train, source, tmp_path, monkeypatch):
    assert train("--from", source, "--runs", "whole").code == 0
    expected = open_run(tmp_path / "whole").weights.read_bytes()
    step, steps = Learner.step, []

    def interrupted(learner):
        steps.append(learner)
        if len(steps) == 3:
            signal.raise_signal(signal.SIGTERM)
        step(learner)

    monkeypatch.setattr(Learner, "step", interrupted)
    train("--from", source)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    (partial,) = tmp_path.glob("runs/*/seed-0.partial")
    moved = shutil.move(source, tmp_path / "moved")
    refused = cli("train", "--resume", partial)
    assert refused.code == 1
    assert "there are no weights at" in refused.err
    assert cli("train", "--resume", partial, "--from", moved).code == 0
    run = the_run(tmp_path)
    assert run.weights.read_bytes() == expected
    assert len(run.record().resumed) == 1
    assert run.record().uses[0].path == str(moved)


def test_without_its_weights_such_a_spec_is_not_trained(cli, tiny, pictures, train, source, tmp_path):
    text = ("--set", 'train.uses=weights("0123456789abcdef")')
    outcome = train(*text)
    assert outcome.code == 1
    assert "pass the path: --from PATH" in outcome.err
    assert not (tmp_path / "runs").exists()
    rewrite(source / "result.json", lambda fields: fields.update(weights_digest="0" * 64))
    assert train("--from", source).code == 1
    with pytest.raises(RunError):
        cifar_dsl.load(tiny, start=source)
