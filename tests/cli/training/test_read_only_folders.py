"""Training in a folder that the user may only read: an error before anything is trained, with what to do instead."""

import shutil
import tempfile

import pytest
from helpers.permissions import read_only
from helpers.training import terminated_after
from PIL import Image

from cifar_dsl.training.learner import Learner


@pytest.fixture
def nothing_is_trained(monkeypatch):
    def step(_: Learner) -> None:
        raise AssertionError("it trains")

    monkeypatch.setattr(Learner, "step", step)


TINY = ("tiny.arch", "--data", "npz:pictures.npz", "--device", "cpu")
GRID = ("--set", "train.epochs=1,2")
RUNS = "runs can't be written to runs: Permission denied"
OUT = "can't write comparison: Permission denied"


@pytest.mark.parametrize(
    ("command", "more", "problem", "advice"),
    [
        ("train", (), RUNS, "choose another folder with --runs"),
        ("train", ("--seeds", "3", "--jobs", "2"), RUNS, "choose another folder with --runs"),
        ("train", ("--profile", "p.json"), "can't write p.json: Permission denied", "another place with --profile"),
        ("train", ("--log-dir", "logs"), "can't write logs: Permission denied", "choose another folder with --log-dir"),
        ("compare", (), OUT, "choose another folder with --out"),
        ("compare", ("--out",), RUNS, "choose another folder with --runs"),
        ("sweep", GRID, OUT, "choose another folder with --out"),
        ("sweep", (*GRID, "--out"), RUNS, "choose another folder with --runs"),
    ],
)
def test_it_is_said_at_once_and_once(
    cli, tiny, pictures, tmp_path, tmp_path_factory, nothing_is_trained, command, more, problem, advice
):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    more = {
        "--out": (*more, elsewhere / "out"),
        "logs": ("--log", "tensorboard", *more, "--runs", elsewhere / "runs"),
    }.get(more[-1] if more else "", more)
    with read_only(tmp_path):
        outcome = cli(command, *TINY, *more)
    assert outcome.code == 1
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert errors == [f"error: {problem}"]
    assert advice in outcome.err
    assert outcome.out == ""
    assert {path.name for path in tmp_path.iterdir()} == {tiny.name, pictures.name}


def test_complete_runs_can_be_used_and_interrupted_ones_copied(train, cli, tmp_path):
    assert train("-q").code == 0
    with terminated_after(lambda learner: learner.seed == 1):
        assert train("-q", "--seed", 1).code == 143
    (folder,) = (path.relative_to(tmp_path) for path in tmp_path.glob("runs/tiny-*"))
    with read_only(tmp_path / "runs"), read_only(folder):
        assert train("-q").code == 0
        assert cli("evaluate", folder / "seed-0").code == 0
        refused = cli("train", "--resume", folder / "seed-1.partial", "--device", "cpu")
    assert refused.code == 1
    assert f"or copy {tmp_path / folder} to another folder and resume the copy" in refused.err
    copy = shutil.copytree(folder, tmp_path / "copy" / folder.name)
    assert cli("train", "--resume", copy / "seed-1.partial", "--device", "cpu", "-q").code == 0


def test_images_are_imported_only_if_they_can_be_stored(cli, tmp_path):
    for split in ("train", "test"):
        (tmp_path / "images" / split / "one").mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "images" / split / "one" / "1.png")
    with read_only(tmp_path):
        outcome = cli("data", "import", "images", "--to", "own.npz")
    assert outcome.code == 1
    assert "error: cannot write own.npz\n" in outcome.err
    assert "  = help: choose another file with --to\n" in outcome.err


def test_without_a_folder_for_temporary_files_nothing_is_trained(cli, tiny, pictures, nothing_is_trained, monkeypatch):
    """As in a container that is read-only; torch would fail with a traceback."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/none"])
    outcome = cli("train", tiny, "--data", f"npz:{pictures}", "--device", "cpu")
    assert outcome.code == 1
    assert outcome.err.endswith(
        "error: none of the usual folders for temporary files is writable, and training needs one\n"
        "  = help: choose another folder with TMPDIR\n"
    )
