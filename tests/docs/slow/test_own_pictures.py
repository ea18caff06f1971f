"""The guide docs/own-pictures.md, followed to the letter: its commands, its spec and its script."""

import json
import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cifar_dsl
from cifar_dsl.cli import main

PAGE = Path(__file__).parents[3] / "docs" / "own-pictures.md"
START = "runs/residual-7cce53dd9b4d/seed-0"
TRAINED = "runs/plants-cc77438e555f/seed-0"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch, tiny, pictures) -> Path:
    """A folder with pictures and a run to start from, of a network that trains in a moment."""
    monkeypatch.chdir(tmp_path)
    random = np.random.RandomState(0)
    for kind, color in (("flower", (220, 40, 60)), ("leaf", (30, 120, 40)), ("stone", (90, 90, 100))):
        (tmp_path / "plants" / kind).mkdir(parents=True)
        for number in range(10):
            size = tuple(map(int, random.randint(40, 80, 2)))
            Image.new("RGB", size, color).save(tmp_path / f"plants/{kind}/{number}.png")
    (tmp_path / "new").mkdir()
    (tmp_path / "plants/leaf/3.png").rename(tmp_path / "new/3.jpg")
    tiny.write_text(tiny.read_text().replace("input 3x32x32\n", "").replace("dense(10)", "dense(classes)"))
    cifar_dsl.train(tiny, data=f"npz:{pictures}", device="cpu").path.rename(tmp_path / "start")
    return tmp_path


def test_the_guide_works(folder, monkeypatch, capsys) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    (spec,) = blocks("arch")
    (folder / "plants.arch").write_text(spec.replace("extends residual", 'extends "tiny.arch"'))
    script, in_python = blocks("python")
    (folder / "classify.py").write_text(script)
    *commands, classify = [line for block in blocks("sh") for line in block.splitlines()]
    trained, printed = None, {}
    for command in commands:
        words = [{START: "start", TRAINED: trained}.get(word, word) for word in shlex.split(command)[1:]]
        options = {"train": ["--device", "cpu"], "predict": ["--json"]}.get(words[0], [])
        capsys.readouterr()
        assert main([*map(str, words), *options]) == 0, command
        printed[words[0]] = capsys.readouterr().out
        if words[0] == "train":
            (trained,) = folder.glob("runs/plants-*/seed-0")
    _, _, path = shlex.split(classify, comments=True)
    monkeypatch.setattr(sys, "argv", ["classify.py", path])
    runpy.run_path(str(folder / "classify.py"), run_name="__main__")
    shown = re.match(r"new/3\.jpg (\w+) \[(.*)\]", capsys.readouterr().out)
    classes = {
        each["name"]: each["probability"] for each in json.loads(printed["predict"])["predictions"][0]["classes"]
    }
    assert shown[1] == max(classes, key=classes.get)
    found = list(map(float, shown[2].split()))
    # The script prints three digits.
    assert found == pytest.approx([classes[name] for name in sorted(classes)], abs=6e-4)
    monkeypatch.setattr(cifar_dsl.Spec, "train", lambda self: cifar_dsl.train(self, device="cpu"))
    exec(compile(in_python.replace(START, "start"), str(PAGE), "exec"), {})
    assert (folder / "mistakes.html").exists()
    assert (folder / "sheet.html").exists()
