"""`export --to hub`."""

import errno
import json
import re
import sys

import pytest
import torch
from helpers.reliability import Disk
from helpers.runs import rewrite
from PIL import Image
from safetensors.torch import load_file

import cifar_dsl
from cifar_dsl.runs import open_run


@pytest.fixture
def run(train, tmp_path):
    assert train("--set", "train.epochs=1").code == 0
    return open_run(tmp_path / "runs")


def test_the_folder_is_complete_and_its_card_works(cli, train, run, tmp_path, monkeypatch, capsys):
    assert train("--set", "train.epochs=1", "--seed", "3").code == 0
    outcome = cli("export", run.path, "--to", "hub", "-o", "upload", "--license", "mit")
    assert outcome.code == 0
    assert outcome.err.startswith("written to upload\nchecked: ")
    assert "hf upload USER/tiny upload" in outcome.err
    folder = tmp_path / "upload"
    names = ["README.md", "config.json", "model.safetensors", "network.py", "spec.arch"]
    assert sorted(path.name for path in folder.iterdir()) == names
    card = (folder / "README.md").read_text()
    accuracy = run.result().accuracy
    assert f"**{100 * accuracy:.2f} %** on the 20 test images of own images." in card
    assert "1 epoch on 60 images, seed 0. No epoch was chosen by the test images." in card
    assert "2 seeds of this training: " in card
    assert str(tmp_path) not in card + (folder / "config.json").read_text()
    weights = load_file(folder / "model.safetensors")
    trained = load_file(run.weights)
    assert all(trained[name].equal(weights[name]) for name in trained)
    assert cifar_dsl.load(folder / "spec.arch").fingerprint == run.record().spec.fingerprint
    # The code of the card, as a reader of it runs it.
    (code,) = re.findall("```python\n(.*?)```", card, re.DOTALL)
    Image.new("RGB", (40, 20), (200, 10, 30)).save(folder / "picture.png")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    capsys.readouterr()
    exec(compile(code, "card", "exec"), {})
    del sys.modules["network"]
    picture = torch.tensor([200, 10, 30], dtype=torch.uint8)[None, :, None, None].expand(1, 3, 32, 32)
    module = cifar_dsl.load_trained(run)
    assert capsys.readouterr().out.strip() == (module.classes or range(10))[module(picture).argmax()]


def test_the_head_of_the_card_is_valid(cli, run, tmp_path):
    yaml = pytest.importorskip("yaml")
    for licence in ((), ("--license", 'other: "x"')):
        name = f"upload{len(licence)}"
        assert cli("export", run.path, "--to", "hub", "-o", name, *licence).code == 0
        _, head, _ = (tmp_path / name / "README.md").read_text().split("---\n", 2)
        found = yaml.safe_load(head)
        assert found.get("license") == (licence[1] if licence else None)
        (model,) = found["model-index"]
        (result,) = model["results"]
        assert result["metrics"] == [{"type": "accuracy", "value": float(f"{run.result().accuracy:.6g}")}]
        assert result["dataset"]["name"] == "own images"


def test_what_leaves_no_folder(cli, tiny, run, tmp_path, monkeypatch):
    from cifar_dsl.export import hub

    def export(what=run.path):
        return cli("export", what, "--to", "hub", "-o", "upload")

    outcome = export(tiny)
    assert outcome.code == 1
    assert "a folder for the hub is made of a run, not of a spec" in outcome.err
    print_right = hub.pytorch_source
    for right, wrong, message in (
        ("stride=4", "stride=2", "the printed network can't be run"),
        ("(3, 4, 3", "(3, 4, 5", "other weights: conv.weight 4x3x5x5 in place of conv.weight 4x3x3x3"),
    ):
        monkeypatch.setattr(hub, "pytorch_source", lambda one, r=right, w=wrong: print_right(one).replace(r, w))
        outcome = export()
        assert outcome.code == 1
        assert message in outcome.err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    weights = run.weights.read_bytes()
    run.weights.write_bytes(weights[:-1])
    outcome = export()
    assert outcome.code == 1
    assert "weights.safetensors is not the file that was written" in outcome.err
    run.weights.write_bytes(weights)
    (tmp_path / "upload").mkdir()
    (tmp_path / "upload" / "mine.txt").touch()
    outcome = export()
    assert outcome.code == 1
    assert "can't write upload: it exists already" in outcome.err
    assert [path.name for path in (tmp_path / "upload").iterdir()] == ["mine.txt"]
    assert not list(tmp_path.glob("upload.*"))
    rewrite(run.path / "run.json", lambda fields: fields.update(normalization=None, schema=2))
    assert cli("export", run.path, "--to", "hub", "-o", "other").code == 1
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("stays_full", [False, True])
def test_a_full_disk_leaves_no_folder(cli, run, tmp_path, stays_full):
    (tmp_path / "place").mkdir()
    number = 0
    while True:
        number += 1
        disk = Disk(tmp_path / "place", number, errno.ENOSPC, stays_full=stays_full)
        with disk.failing():
            outcome = cli("export", run.path, "--to", "hub", "-o", tmp_path / "place" / "upload")
        if not disk.has_failed:
            break
        assert outcome.code == 1, disk.done
        assert f"can't write {tmp_path / 'place' / 'upload'}: No space left" in outcome.err
        assert not list((tmp_path / "place").iterdir())
    assert number > 10
    assert json.loads((tmp_path / "place" / "upload" / "config.json").read_text())["input"] == [3, 32, 32]


def test_options_that_belong_to_other_formats(cli, run):
    assert cli("export", run.path, "--to", "pytorch", "--license", "mit").code == 2
    assert cli("export", run.path, "--to", "hub", "--no-verify").code == 2
