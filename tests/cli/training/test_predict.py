"""`cifar-dsl predict`."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import cifar_dsl


@pytest.fixture
def run(train, tmp_path) -> Path:
    assert train("--quiet").code == 0
    (place,) = tmp_path.glob("runs/*/seed-0")
    return place.relative_to(tmp_path)


@pytest.fixture
def photos(tmp_path) -> Path:
    """Two pictures of 40x50 pixels, in a folder."""
    random = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for name in ("a", "b"):
        Image.fromarray(random.integers(0, 256, (50, 40, 3), np.uint8)).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


def test_pictures_get_the_probabilities_of_the_network(cli, run, photos) -> None:
    outcome = cli("predict", run, "photos", "--json", "--top", 10)
    assert outcome.code == 0
    data = json.loads(outcome.out)
    assert [each["picture"] for each in data["predictions"]] == ["photos/a.png", "photos/b.png"]
    network = cifar_dsl.load_trained(run)
    with Image.open(photos / "a.png") as image:
        picture = image.resize((32, 32), Image.Resampling.BICUBIC, (0, 5, 40, 45))
    scores = network(torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None])
    expected = dict(zip(network.classes, scores[0].double().softmax(0).tolist(), strict=True))
    found = {each["name"]: each["probability"] for each in data["predictions"][0]["classes"]}
    # A batch of two may round otherwise than one of one: 1e-5 is about 100 roundings of float32.
    assert found == pytest.approx(expected, rel=1e-5)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_the_others_are_predicted_when_some_cannot_be_read(cli, run, photos, tmp_path) -> None:
    (tmp_path / "wrong.png").write_bytes(b"nothing")
    (tmp_path / "hollow.png").touch()
    (tmp_path / "empty").mkdir()
    outcome = cli("predict", run, "photos/a.png", "missing.png", "wrong.png", "hollow.png", "empty", "photos/b.png")
    assert outcome.code == 1
    assert [line.split()[0] for line in outcome.out.splitlines()] == ["photos/a.png", "photos/b.png"]
    assert re.findall("^error: (.*)$", outcome.err, re.MULTILINE) == [
        "empty has no pictures",
        "there is no file missing.png",
        "wrong.png can't be read as a picture",
        "hollow.png can't be read as a picture",
    ]
    assert "hollow.png can't be read as a picture\n  = why: the file is empty\n" in outcome.err
    assert "2 pictures predicted, 4 errors" in outcome.err


def test_the_sheet_holds_everything_and_requests_nothing(cli, run, photos, tmp_path) -> None:
    (photos / "<b>&.png").write_bytes((photos / "b.png").read_bytes())
    outcome = cli("predict", run, "photos", "--html", "sheet.html", "--explain", "maps")
    assert outcome.code == 0
    text = (tmp_path / "sheet.html").read_text()
    assert text.count("data:image/png;base64,") == 6
    assert "&lt;b&gt;&amp;.png" in text
    assert "<b>" not in text
    assert not re.search(r"https?:|<script|<link", text)
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["<b>&.png", "a.png", "b.png"]
    with Image.open(tmp_path / "maps" / "a.png") as shown:
        assert shown.size == (192, 192)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere", "photos"), "nowhere is not a run"),
        (("nowhere", "photos"), "seed-0; `cifar-dsl runs` lists yours"),
        (("RUN", "photos", "--html", "nowhere/sheet.html"), "can't write nowhere/sheet.html"),
    ],
)
def test_errors_before_anything_is_predicted(cli, run, photos, arguments, message) -> None:
    outcome = cli("predict", *(run if argument == "RUN" else argument for argument in arguments))
    assert outcome.code == 1
    assert outcome.out == ""
    assert message in outcome.err


def test_a_damaged_run_is_an_error(cli, run, photos, tmp_path) -> None:
    damaged = tmp_path / "copy"
    shutil.copytree(tmp_path / run, damaged)
    (damaged / "weights.safetensors").write_bytes(b"nothing")
    outcome = cli("predict", damaged, "photos")
    assert outcome.code == 1
    assert f"{damaged / 'weights.safetensors'} is not the file that was written" in outcome.err
