"""`--selection`: a network that learns from the images that the run of another one chose."""

import shutil

import pytest
from helpers.tolerances import FLOAT64
from helpers.training import terminated_after

import cifar_dsl
from cifar_dsl.foundation.errors import RunError, UserError
from cifar_dsl.runs import SELECTION, open_run
from cifar_dsl.training.artifacts import read_artifact

ONE = ("--set", "train.epochs=1")
HARDEST = ("--set", "train.keep=hardest(0.5, every=2)")
CHOSEN = ("--set", "train.keep=chosen")


@pytest.fixture
def proxy(train, tmp_path):
    """A run of the tiny spec that chose images, in a folder of its own."""
    assert train("--runs", "proxies", *ONE, *HARDEST).code == 0
    return open_run(tmp_path / "proxies").path


def test_a_run_learns_from_chosen_images_and_records_who_chose_them(cli, train, proxy, tmp_path):
    outcome = train("--selection", proxy, *ONE, *CHOSEN, "--seed", "4")
    assert outcome.code == 0
    chosen_by = open_run(proxy).record().spec
    assert (
        f"chosen  tiny: 50 % of each batch, by {chosen_by.name} {chosen_by.fingerprint}, seed 0 ({proxy})"
        in outcome.err
    )
    run = open_run(tmp_path / "runs")
    (used,) = run.record().uses
    assert (used.kind, used.path) == ("selection", str(proxy))
    assert f'uses selection("{chosen_by.fingerprint}", "{used.digest}")' in run.spec_text
    assert (run.result().work_share, open_run(proxy).result().work_share) == (0.5, pytest.approx(2 / 3, **FLOAT64))
    assert not (run.path / SELECTION).exists()
    assert f"selection {used.digest}: tiny " in cli("runs", "show", run.path).out
    assert "already trained" in train("--selection", proxy, *ONE, *CHOSEN, "--seed", "4").err
    assert cli("runs", "verify", run.path, proxy).code == 0


def test_without_a_selection_such_a_spec_is_checked_and_not_trained(cli, train, tmp_path, make_spec, tiny, proxy):
    spec = make_spec("chosen", f'arch chosen extends "{tiny.name}"\ntrain {{ keep chosen }}\n')
    assert cli("check", spec).code == 0
    outcome = train(*ONE, *CHOSEN)
    assert outcome.code == 1
    assert "`tiny` learns from images that another run chose, and none is given" in outcome.err
    assert "--selection RUN" in outcome.err
    assert not (tmp_path / "runs").exists()
    with pytest.raises(UserError, match="`tiny` doesn't learn from a selection of images"):
        cifar_dsl.train(tiny, selection=proxy)
    counted, uncounted = (train(*ONE, *CHOSEN, *more, "--dry-run") for more in (("--selection", proxy), ()))
    assert "--selection" not in counted.err
    assert "all images of a batch are counted; name the run that chose among them" in uncounted.err


def test_a_run_that_chose_nothing_or_other_images_is_refused(train, tmp_path, proxy):
    assert train("--runs", "plain", *ONE).code == 0
    plain = open_run(tmp_path / "plain").path
    refused = train("--selection", plain, *ONE, *CHOSEN)
    assert refused.code == 1
    assert f"the run {plain} chose no images" in refused.err
    other = train("--selection", proxy, *CHOSEN, "--set", "train.epochs=2")
    assert "the selection of images doesn't fit: its run ended after 1 epoch, and this training has 2" in other.err
    with pytest.raises(RunError, match="is a file, and a selection of images is that of a run"):
        read_artifact("selection", proxy / SELECTION)
    with pytest.raises(RunError, match="there is no run at"):
        read_artifact("selection", tmp_path / "nothing")


def test_a_damaged_selection_is_refused(train, proxy):
    file = proxy / SELECTION
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    for _ in ("changed", "gone"):
        refused = train("--selection", proxy, *ONE, *CHOSEN)
        assert refused.code == 1
        assert SELECTION in refused.err
        file.unlink(missing_ok=True)


def test_interrupted_ones_end_with_the_same_choice_and_weights(cli, train, proxy, tmp_path, monkeypatch):
    two = ("--set", "train.epochs=2")
    assert train(*two, *HARDEST, "--runs", "whole").code == 0
    expected = open_run(tmp_path / "whole")
    with terminated_after(lambda learner: (learner.epoch, learner.steps_done) == (2, 1)):
        train(*two, *HARDEST)
    assert train(*two, *HARDEST).code == 0
    chooser = open_run(tmp_path / "runs")
    for name in (SELECTION, "weights.safetensors"):
        assert (chooser.path / name).read_bytes() == (expected.path / name).read_bytes()
    assert read_artifact("selection", chooser.path).artifact == read_artifact("selection", expected.path).artifact

    chosen = (*two, *CHOSEN, "--selection", chooser.path)
    assert train(*chosen, "--runs", "chosen").code == 0
    with terminated_after(lambda learner: (learner.epoch, learner.steps_done) == (2, 1)):
        train(*chosen, "--runs", "broken")
    monkeypatch.chdir(tmp_path)
    (partial,) = tmp_path.glob("broken/*/seed-0.partial")
    moved = shutil.move(chooser.path, tmp_path / "moved")
    gone = cli("train", "--resume", partial)
    assert gone.code == 1
    assert f"there is no run at {chooser.path}" in gone.err
    changed = cli("train", "--resume", partial, "--selection", proxy)
    assert changed.code == 1
    assert "the selection of images is not that of the recipe" in changed.err
    assert cli("train", "--resume", partial, "--selection", moved).code == 0
    assert open_run(tmp_path / "broken").weights.read_bytes() == open_run(tmp_path / "chosen").weights.read_bytes()
