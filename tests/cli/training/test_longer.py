"""`train --resume RUN --set train.epochs=N`: a complete run is trained longer."""

import hashlib
import shutil
import signal

import pytest
import torch
from helpers.runs import rewrite
from safetensors.torch import load_file, save_file

from cifar_dsl.runs import Run, open_run
from cifar_dsl.training.learner import Learner

LONGER = ("--set", "train.epochs=3")


@pytest.fixture
def source(train, tmp_path):
    """A run of the tiny spec for one epoch, and the cosine schedule."""
    assert train("--set", "train.epochs=1", "--set", "train.schedule=cosine").code == 0
    return open_run(tmp_path / "runs").path


def the_other(source):
    """The only run beside `source`."""
    (other,) = (path for path in source.parents[1].glob("tiny-*/seed-0") if path != source)
    return open_run(other)


def test_it_goes_on_with_the_schedule_of_the_new_length(cli, source, tmp_path):
    outcome = cli("train", "--resume", source, *LONGER)
    assert outcome.code == 0
    assert f"{source} continues after epoch 1, to epoch 3, as another run" in outcome.err
    assert (
        "the schedule is that of 3 epochs: the learning rate ended at 0.000146 and continues at 0.00075" in outcome.err
    )
    run = the_other(source)
    first, metrics = open_run(source), run.metrics()
    assert [each.epoch for each in metrics] == [2, 3]
    assert run.result().epochs == 3
    (used,) = run.record().uses
    assert used.path == str(source)
    assert len(used.digest) == 16
    assert f'weights("{first.record().spec.fingerprint}", epochs=1)' in run.spec_text
    assert run.record().spec.name == "tiny"
    assert "train.schedule=cosine" in run.record().spec.overrides
    assert not all(a.equal(b) for a, b in zip(*(load_file(one.weights).values() for one in (first, run)), strict=True))
    assert "already trained" in cli("train", "--resume", source, "--epochs", "3").err


def test_the_order_and_schedule_are_those_of_a_longer_training(cli, train, source, tmp_path, monkeypatch):
    begun = []
    begin_epoch = Learner.begin_epoch

    def recorded(learner):
        begin_epoch(learner)
        begun.append((learner.epoch, [tensor.clone() for tensor in learner._inputs.next_images(3)]))

    monkeypatch.setattr(Learner, "begin_epoch", recorded)
    assert train("--runs", "plain", *LONGER).code == 0
    plain, begun = begun, []
    assert cli("train", "--resume", source, *LONGER).code == 0
    assert begun == plain[1:]


def test_without_a_schedule_and_state_of_the_optimizer_it_equals_a_longer_training(cli, train, tmp_path):
    plain = ("--set", "train.optimizer=sgd(lr=0.05, momentum=0)", "--set", "train.schedule=constant")
    assert train(*plain, "--set", "train.epochs=1").code == 0
    short = open_run(tmp_path / "runs").path
    assert train(*plain, *LONGER, "--runs", "whole").code == 0
    assert cli("train", "--resume", short, *LONGER).code == 0
    run, whole = the_other(short), open_run(tmp_path / "whole")
    assert all(map(torch.equal, *(load_file(one.weights).values() for one in (run, whole))))
    assert [(each.epoch, each.train_loss) for each in run.metrics()] == [
        (each.epoch, each.train_loss) for each in whole.metrics()[1:]
    ]


def test_it_is_never_mixed_with_a_plain_run(cli, train, tiny, pictures, source, tmp_path):
    assert cli("train", "--resume", source, *LONGER).code == 0
    cosine = ("--set", "train.schedule=cosine")
    compared = ("compare", tiny, "--data", f"npz:{pictures}", *LONGER, *cosine, "--no-train", "--no-report")
    assert "no spec has a run" in cli(*compared).err
    uses = f'train.uses=weights("{open_run(source).record().spec.fingerprint}", epochs=1)'
    continued = (*compared, "--set", uses, "--from", source)
    assert cli(*continued).code == 0
    assert train("--seed", "1", *cosine, "--set", "train.epochs=1").code == 0
    assert cli("train", "--resume", source.with_name("seed-1"), *LONGER).code == 0
    assert the_other(source).path.with_name("seed-1").is_dir()  # continued seeds are runs of one fingerprint
    assert "±" in cli(*continued).out
    trained = tuple(option for option in continued if option != "--no-train")
    outcome = cli(*trained, "--seeds", "3")
    assert outcome.code == 1
    assert f"{source} has seed 0, not 2" in outcome.err
    assert f"--resume {source.with_name('seed-2')} --set train.epochs=3" in outcome.err
    outcome = train(*LONGER, *cosine)
    assert "already trained" not in outcome.err
    assert f"{source.relative_to(tmp_path)} has trained this for 1 epoch; to continue it instead: " in outcome.err
    assert "--set train.epochs=3" in outcome.err
    assert len({path.parent.name for path in (tmp_path / "runs").glob("tiny-*/seed-0")}) == 3


@pytest.fixture
def interrupt(cli, source, tmp_path, monkeypatch):
    """Interrupts the longer training of `source` at its third step, and returns its partial folder."""

    def interrupted_run():
        step, steps = Learner.step, []

        def interrupted(learner):
            steps.append(learner)
            if len(steps) == 3:
                signal.raise_signal(signal.SIGTERM)
            step(learner)

        with monkeypatch.context() as patched:
            patched.setattr(Learner, "step", interrupted)
            cli("train", "--resume", source, *LONGER)
        (partial,) = tmp_path.glob("runs/*/seed-0.partial")
        return partial

    return interrupted_run


def test_an_interrupted_one_ends_with_the_same_weights(cli, source, tmp_path, monkeypatch, interrupt):
    shutil.copytree(tmp_path / "runs", tmp_path / "whole")
    assert cli("train", "--resume", tmp_path / "whole" / source.relative_to(tmp_path / "runs"), *LONGER).code == 0
    expected = the_other(tmp_path / "whole" / source.relative_to(tmp_path / "runs"))
    partial = interrupt()
    monkeypatch.chdir(tmp_path)
    assert "unfinished at epoch 2 of 3" in cli("runs", "list").out
    assert cli("train", "--resume", partial).code == 0
    run = the_other(source)
    assert run.weights.read_bytes() == expected.weights.read_bytes()
    assert [each.epoch for each in run.metrics()] == [2, 3]
    assert run.record().identity == expected.record().identity


def test_an_interrupted_one_is_refused_after_its_source_changed(cli, source, interrupt):
    partial = interrupt()
    (began,) = Run(partial).record().uses
    weights = {name: tensor + 1 for name, tensor in load_file(open_run(source).weights).items()}  # as if retrained
    save_file(weights, open_run(source).weights)
    digest = hashlib.sha256(open_run(source).weights.read_bytes()).hexdigest()
    rewrite(source / "result.json", lambda fields: fields.update(weights_digest=digest))
    again = cli("train", "--resume", source, *LONGER)
    assert again.code == 1
    assert f"was interrupted after it started from other weights than those of {source}" in again.err
    assert f"it began with those of digest {began.digest}, and these have" in again.err
    assert "the weights are not those of the recipe" in cli("train", "--resume", partial).err
    assert Run(partial).record().uses == (began,)
    shutil.rmtree(partial)
    assert cli("train", "--resume", source, *LONGER).code == 0
    (used,) = the_other(source).record().uses
    assert used.digest != began.digest


@pytest.mark.parametrize(
    ("override", "code", "message"),
    [
        ("train.epochs=1", 1, "has trained for 1 epoch, so it can't be continued to 1\n"),
        ("train.epochs=nan", 1, "pass more epochs, such as train.epochs=2"),
        ("train.epochs=x", 2, "--set takes only train.epochs=N"),
        ("train.batch=8", 2, "start a training from the weights of the run: --from RUN"),
    ],
)
def test_what_is_refused(cli, source, override, code, message):
    outcome = cli("train", "--resume", source, "--set", override)
    assert outcome.code == code
    assert message in outcome.err


def test_runs_that_cannot_be_trained_longer(cli, train, source, tmp_path):
    shutil.copytree(source, tmp_path / "whole" / source.parent.name / "seed-0.partial")
    outcome = cli("train", "--resume", tmp_path / "whole" / source.parent.name / "seed-0.partial", *LONGER)
    assert "is not complete, and only a complete one is trained longer" in outcome.err
    assert train("--runs", "half", "--set", "train.epochs=0.5").code == 0
    outcome = cli("train", "--resume", open_run(tmp_path / "half").path, *LONGER)
    assert outcome.code == 1
    assert "ended within an epoch, after 0.5" in outcome.err
    rewrite(source / "result.json", lambda fields: fields.update(weights_digest="0" * 64))
    assert cli("train", "--resume", source, *LONGER).code == 1
    assert len(list((tmp_path / "runs").glob("*"))) == 1
