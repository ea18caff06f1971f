"""`cifar-dsl evaluate` beyond the figures of the training: other images, corruptions, other weights, sheets."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from cifar_dsl.runs import open_run


@pytest.fixture
def run(train, tmp_path):
    """A run with a best epoch, relative to the folder of the commands."""
    assert train("--quiet", "--validation", 20).code == 0
    (place,) = tmp_path.glob("runs/*/seed-0")
    return place.relative_to(tmp_path)


@pytest.fixture
def evaluate(cli, run):
    def evaluate(*arguments):
        outcome = cli("evaluate", run, "--device", "cpu", "--json", *arguments)
        assert outcome.code == 0, outcome.err
        return json.loads(outcome.out)

    return evaluate


def test_the_details_agree_with_the_saved_predictions(cli, evaluate, run) -> None:
    found = evaluate("--mistakes", 3)
    with np.load(run / "predictions.npz") as saved:
        counts = np.zeros((10, 10), int)
        np.add.at(counts, (saved["labels"], saved["predicted"]), 1)
    assert found["confusion"] == counts.tolist()
    assert [row["accuracy"] for row in found["classes"]] == (counts.diagonal() / counts.sum(1)).tolist()
    assert (found["weights"], found["images"], found["is_own_data"]) == ("last", 20, True)
    assert len(found["mistakes"]) == 3
    assert 0 <= found["accuracy"] <= found["top5_accuracy"] <= 1
    assert found["calibration_bins"] == 15
    text = cli("evaluate", run, "--device", "cpu").out
    assert f"calibration error {100 * found['calibration_error']:.2f} % (15 bins)" in text
    assert re.findall(r"\d+", re.search(r"^0  0 +(.*)$", text, re.MULTILINE)[1]) == list(map(str, counts[0]))


def test_the_weights_of_the_best_epoch(cli, evaluate, run, train) -> None:
    found, best = evaluate("--weights", "best"), open_run(run).result().best
    assert found["accuracy"] == found["recorded_accuracy"] == best.accuracy
    (run / "best.safetensors").write_bytes(b"nothing")
    outcome = cli("evaluate", run, "--weights", "best")
    assert (outcome.code, outcome.out) == (1, "")
    assert "best.safetensors is not the file that was written" in outcome.err
    assert train("--runs", "plain", "--quiet").code == 0
    outcome = cli("evaluate", "plain", "--weights", "best")
    assert outcome.code == 1
    assert "has no weights of a best epoch, because it held out no images" in outcome.err


def test_a_folder_of_pictures_and_an_array_file_give_the_same(evaluate, make_pictures, tmp_path) -> None:
    other = make_pictures("other.npz", seed=1)
    with np.load(other) as arrays:
        for index, (image, label) in enumerate(zip(arrays["x_test"], arrays["y_test"], strict=True)):
            (tmp_path / f"own/{label}").mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(tmp_path / f"own/{label}/{index}.png")
    first, second = evaluate("--data", f"npz:{other}"), evaluate("--data", "own")
    assert (first["is_own_data"], first["loss"]) == (False, None)
    assert [each["data"] for each in (first, second)] == ["other.npz", "own"]
    assert sorted(map(tuple, first["confusion"])) == sorted(map(tuple, second["confusion"]))
    assert first["accuracy"] == second["accuracy"]
    # Sums in another order round otherwise.
    assert first["cross_entropy"] == pytest.approx(second["cross_entropy"], rel=1e-5)


def test_classes_of_other_data_are_found_by_name(cli, train, make_pictures, tmp_path) -> None:
    names, named = np.array([f"class {number}" for number in range(10)]), tmp_path / "named.npz"
    with np.load(make_pictures()) as arrays:
        np.savez(named, classes=names, **arrays)
    assert train("--data", f"npz:{named}", "--runs", "named", "--quiet").code == 0
    expected = json.loads(cli("evaluate", "named", "--json").out)
    turned = tmp_path / "turned.npz"
    with np.load(named) as arrays:
        labels = {name: 9 - arrays[name] for name in ("y_train", "y_test")}
        np.savez(turned, x_train=arrays["x_train"], x_test=arrays["x_test"], classes=names[::-1], **labels)
    found = json.loads(cli("evaluate", "named", "--json", "--data", f"npz:{turned}").out)
    assert found["is_own_data"] is False
    assert (found["accuracy"], found["confusion"]) == (expected["accuracy"], expected["confusion"])
    numbers = cli("evaluate", "named", "--json", "--data", f"npz:{make_pictures('bare.npz', seed=2)}")
    assert "its labels count as the numbers of the network's classes" in numbers.err


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nothing", "there is no dataset or folder `nothing`"),
        ("npz:small.npz", "the images of small.npz are 3x8x8, but the network takes 3x32x32"),
        ("loose", "loose has no folders"),
        ("strange", "strange has classes that the network doesn't have: zebra"),
        ("strange", "help: name them as the network's classes: 0, 1"),
        ("wrong", "wrong/0/a.png can't be read as a picture"),
    ],
)
def test_other_data_that_does_not_fit(cli, run, make_pictures, tmp_path, data, message) -> None:
    make_pictures("small.npz", size=(8, 8, 3))
    (tmp_path / "loose").mkdir()
    for folder in ("strange/zebra", "wrong/0"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.png").write_bytes(b"nothing")
    outcome = cli("evaluate", run, "--data", data, "--html", "sheet.html")
    assert (outcome.code, outcome.out) == (1, "")
    assert message in outcome.err
    assert not (tmp_path / "sheet.html").exists()


def test_corrupted_images(cli, evaluate, run) -> None:
    found = evaluate("--corruption", "contrast", "--corruption", "contrast")
    assert list(found["corruptions"]) == ["contrast"]
    assert len(found["corruptions"]["contrast"]) == 5
    outcome = cli("evaluate", run, "--corruption", "fog", "--corruption", "pixelate")
    assert "mean of all: " in outcome.out
    assert "not comparable with published figures" in outcome.out
    wrong = cli("evaluate", run, "--corruption", "frost")
    assert (wrong.code, wrong.out) == (1, "")
    assert "there is no corruption `frost`" in wrong.err


def test_the_sheet_shows_the_most_confident_mistakes(cli, evaluate, run, tmp_path) -> None:
    assert cli("evaluate", run, "--html", "sheet.html", "--mistakes", 4).code == 0
    text = (tmp_path / "sheet.html").read_text()
    captions = re.findall(r"<figcaption>(\d), taken for (\d) \(image (\d+)\)", text)
    mistakes = evaluate("--mistakes", 4)["mistakes"]
    assert captions == [(each["label"], each["predicted"], str(each["image"])) for each in mistakes]
    assert text.count("data:image/png;base64,") == 4
    assert not re.search(r"https?:|<script|<link", text)


def test_a_damaged_run_leaves_no_sheet(cli, run, tmp_path) -> None:
    shutil.copytree(tmp_path / run, tmp_path / "copy")
    (tmp_path / "copy/weights.safetensors").write_bytes(b"nothing")
    outcome = cli("evaluate", "copy", "--html", "sheet.html")
    assert (outcome.code, outcome.out) == (1, "")
    assert "copy/weights.safetensors is not the file that was written" in outcome.err
    assert not (tmp_path / "sheet.html").exists()
    outcome = cli("evaluate", run, "--html", "nowhere/sheet.html")
    assert (outcome.code, outcome.out) == (1, "")
    assert "can't write nowhere/sheet.html" in outcome.err
