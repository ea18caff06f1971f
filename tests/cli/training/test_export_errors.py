"""What `export` refuses, and that it leaves no file then."""

import errno

import pytest
from helpers.reliability import Disk

from cifar_dsl.runs import open_run


@pytest.fixture
def run(train, tmp_path):
    assert train("--set", "train.epochs=1").code == 0
    return open_run(tmp_path / "runs")


def test_damaged_runs(cli, run, tmp_path):
    weights = run.weights.read_bytes()
    for content in (weights[:-1], b"", None):
        if content is None:
            run.weights.unlink()
        else:
            run.weights.write_bytes(content)
        for form in ("pytorch", "pt2"):
            outcome = cli("export", run.path, "--to", form, "-o", "network")
            assert outcome.code == 1, outcome.err
            is_missing = content is None
            expected = f"{run.path} has no weights" if is_missing else f"{run.weights} is not the file that was written"
            assert expected in outcome.err
    run.weights.mkdir()
    assert f"{run.weights} can't be read: it is a folder" in cli("export", run.path, "--to", "pt2", "-o", "network").err
    for text in ("arch tiny\n", "", (run.path / "spec.arch").read_text().replace("conv", "con")):
        (run.path / "spec.arch").write_text(text)
        outcome = cli("export", run.path, "--to", "pt2", "-o", "network")
        assert outcome.code == 1
        assert "spec.arch is not the file that was written" in outcome.err
        assert "check --fix" not in outcome.err  # the advice for a spec of one's own
    (run.path / "run.json").write_text("{")
    outcome = cli("export", run.path, "--to", "pt2", "-o", "network")
    assert (outcome.code, "run.json is damaged" in outcome.err) == (1, True)
    assert not (tmp_path / "network").exists()


@pytest.mark.parametrize("form", ["pytorch", "pt2", "onnx", "hub"])
def test_specs_with_errors(cli, wrong, tmp_path, form):
    outcome = cli("export", wrong, "--to", form, "-o", "network")
    assert outcome.code == 1
    assert "dens" in outcome.err
    assert not (tmp_path / "network").exists()


def test_a_missing_extra(cli, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    outcome = cli("export", tiny, "--to", "onnx")
    assert outcome.code == 1
    assert "pip install 'cifar-dsl[onnx]'" in outcome.err
    assert not list(tmp_path.glob("*.onnx*"))


@pytest.mark.parametrize("form", ["pytorch", "pt2", "onnx", "hub"])
def test_places_that_cannot_be_written_are_found_before_the_work(cli, run, tmp_path, form, monkeypatch):
    monkeypatch.setattr("cifar_dsl.cli.export.subject_at", lambda *_: pytest.fail("it worked in vain"))
    (tmp_path / "file").touch()
    for place, reason in (("nowhere/network", "there is no folder nowhere"), ("file/network", "Not a directory")):
        outcome = cli("export", run.path, "--to", form, "-o", place)
        assert outcome.code == 1
        assert f"can't write {place}: {reason}" in outcome.err
        assert "--output" in outcome.err


@pytest.mark.parametrize("stays_full", [False, True])
def test_a_full_disk_leaves_no_file(cli, run, tmp_path, stays_full):
    (tmp_path / "place").mkdir()
    number = 0
    while True:
        number += 1
        disk = Disk(tmp_path / "place", number, errno.ENOSPC, stays_full=stays_full)
        with disk.failing():
            outcome = cli("export", run.path, "--to", "pytorch", "-o", tmp_path / "place" / "tiny.py", "--no-verify")
        if not disk.has_failed:
            break
        assert outcome.code == 1, disk.done
        assert f"can't write {tmp_path / 'place' / 'tiny.py'}: No space left" in outcome.err
        left = list((tmp_path / "place").iterdir())
        assert not left or (disk.done[-1] == "fsync" and left == [tmp_path / "place" / "tiny.py"])
        for path in left:
            path.unlink()  # complete, when only the folder couldn't be synced
    assert number > 3
