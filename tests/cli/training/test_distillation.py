"""`--teacher`: a network that learns from the run of another one."""

import shutil

import pytest
from helpers.runs import rewrite
from helpers.training import terminated_after

import cifar_dsl
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.runs import open_run

ONE = ("--set", "train.epochs=1")
SOFT = (*ONE, "--set", "train.distill=soft")


@pytest.fixture
def teacher(train, tmp_path):
    """A plain run of the tiny spec, in a folder of its own."""
    assert train("--runs", "plain", *ONE).code == 0
    return open_run(tmp_path / "plain").path


def test_a_run_learns_from_a_teacher_and_records_it(cli, train, teacher, tmp_path):
    outcome = train("--teacher", teacher, *SOFT)
    assert outcome.code == 0
    taught_by = open_run(teacher).record().spec
    assert f"teacher tiny: {taught_by.name} {taught_by.fingerprint}, seed 0 ({teacher})" in outcome.err
    run = open_run(tmp_path / "runs")
    (used,) = run.record().uses
    assert (used.kind, used.path) == ("teacher", str(teacher))
    assert f'uses teacher("{taught_by.fingerprint}", "{used.digest}")' in run.spec_text
    assert run.result().teacher_macs == open_run(teacher).result().macs
    assert "teacher_macs" not in (teacher / "result.json").read_text()
    assert f"teacher {used.digest}: tiny " in cli("runs", "show", run.path).out
    assert "already trained" in train("--teacher", teacher, *SOFT).err
    assert cli("runs", "verify", run.path).code == 0


def test_it_is_never_mixed_with_a_plain_run_or_one_of_another_teacher(cli, train, tiny, pictures, teacher, tmp_path):
    assert train("--teacher", teacher, *SOFT).code == 0
    assert "already trained" not in train(*ONE).err
    assert train("--runs", "plain", *ONE, "--seed", "1").code == 0
    other = teacher.with_name("seed-1")
    assert "already trained" not in train("--teacher", other, *SOFT).err
    assert len(list((tmp_path / "runs").glob("tiny-*"))) == 3
    grid = ("--set", "train.epochs=1", "--set", "train.distill=none,soft", "--no-train", "--no-report", "--no-chart")
    found = cli(
        "sweep", tiny, "--data", f"npz:{pictures}", *grid, "--baseline", "tiny[distill=none]", "--teacher", other
    )
    assert found.code == 0
    rows = [line.split() for line in found.out.splitlines() if line.startswith("tiny[")]
    assert [row[5:7] for row in rows[:2]] == [["%", "1"]] * 2  # the unit of the accuracy, and n


def test_without_a_teacher_such_a_spec_is_checked_and_not_trained(cli, train, tmp_path, make_spec, tiny, teacher):
    spec = make_spec("student", f'arch student extends "{tiny.name}"\ntrain {{ distill hard }}\n')
    assert cli("check", spec).code == 0
    outcome = train(*SOFT)
    assert outcome.code == 1
    assert "`tiny` learns from a teacher, and none is given" in outcome.err
    assert "--teacher RUN" in outcome.err
    assert not (tmp_path / "runs").exists()
    unused = train("--teacher", teacher, *ONE)
    assert unused.code == 1
    assert "`tiny` doesn't learn from a teacher" in unused.err
    with pytest.raises(UserError, match="doesn't learn from a teacher"):
        cifar_dsl.train(tiny, teacher=teacher)
    counted, uncounted = (train(*SOFT, *more, "--dry-run") for more in (("--teacher", teacher), ()))
    assert "  teacher " in counted.out
    assert "the teacher isn't counted" in uncounted.err


def test_a_damaged_teacher_is_refused(train, teacher):
    rewrite(teacher / "result.json", lambda fields: fields.update(weights_digest="0" * 64))
    refused = train("--teacher", teacher, *SOFT)
    assert refused.code == 1
    assert "weights.safetensors" in refused.err


def test_a_teacher_of_other_classes_is_refused(train, teacher):
    rewrite(teacher / "run.json", lambda fields: fields.update(classes=["a", "b", "c", "d"] + ["e"] * 6))
    refused = train("--teacher", teacher, *SOFT)
    assert refused.code == 1
    assert "the teacher doesn't fit: its class 0 is 'a'" in refused.err


def test_an_interrupted_one_ends_with_the_same_weights(cli, train, teacher, tmp_path, monkeypatch):
    distilled = ("--teacher", teacher, "--set", "train.distill=soft", "--set", "train.epochs=2")
    assert train(*distilled, "--runs", "whole").code == 0
    expected = open_run(tmp_path / "whole").weights.read_bytes()
    with terminated_after(lambda learner: (learner.epoch, learner.steps_done) == (2, 1)):
        train(*distilled)
    monkeypatch.chdir(tmp_path)
    (partial,) = tmp_path.glob("runs/*/seed-0.partial")
    moved = shutil.move(teacher, tmp_path / "moved")
    gone = cli("train", "--resume", partial)
    assert gone.code == 1
    assert f"there is no run at {teacher}" in gone.err
    assert "--teacher RUN" in gone.err
    assert train("--runs", "plain", "--seed", "1", *ONE).code == 0
    changed = cli("train", "--resume", partial, "--teacher", open_run(tmp_path / "plain").path)
    assert changed.code == 1
    assert "the teacher is not that of the recipe" in changed.err
    assert cli("train", "--resume", partial, "--teacher", moved).code == 0
    run = open_run(tmp_path / "runs")
    assert run.weights.read_bytes() == expected
    assert len(run.record().resumed) == 1
    assert cli("train", "--resume", run.path, "--from", moved).code == 2
