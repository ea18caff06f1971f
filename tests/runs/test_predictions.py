"""Predictions are read as they were written, or refused."""

import io
import os
import zipfile

import numpy as np
import pytest

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.runs import PREDICTIONS
from cifar_dsl.runs.predictions import read_predictions, write_predictions

CLASSES = ("cat", "dog", "ship")


@pytest.fixture
def path(tmp_path):
    return tmp_path / PREDICTIONS


def write(path, **more):
    given = {
        "labels": np.array([0, 1, 2, 1]),
        "predicted": np.array([0, 2, 2, 1]),
        "truth_probability": np.array([0.9, 0.25, 0.5, 1.0], np.float32),
        "classes": CLASSES,
    }
    write_predictions(path, **{**given, **more})


def test_written_predictions_can_be_read(path):
    write(path)
    found = read_predictions(path)
    assert (found.labels.tolist(), found.predicted.tolist()) == ([0, 1, 2, 1], [0, 2, 2, 1])
    # Kept as float16, whose numbers below 1 lie up to 4.9e-4 apart.
    assert found.truth_probability.tolist() == pytest.approx([0.9, 0.25, 0.5, 1.0], abs=2.5e-4)
    assert found.classes == CLASSES
    assert found.is_correct.tolist() == [True, False, True, True]


def test_equal_predictions_give_equal_bytes(path, tmp_path):
    write(path)
    write(tmp_path / "again.npz")
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_numpy_alone_can_read_it(path):
    write(path)
    with np.load(path) as arrays:
        assert {name: arrays[name].dtype.kind for name in arrays} == {
            "labels": "u",
            "predicted": "u",
            "truth_probability": "f",
            "classes": "U",
        }


def test_ten_thousand_images_take_few_bytes(path):
    draw = np.random.default_rng(0)
    labels, predicted = draw.integers(0, 10, (2, 10_000))
    names = [f"class {i}" for i in range(10)]
    write(path, labels=labels, predicted=predicted, truth_probability=draw.uniform(size=10_000), classes=names)
    assert path.stat().st_size < 32_000


def test_many_classes_have_room(path):
    write(path, labels=[0, 999, 1, 2], classes=[f"c{i}" for i in range(1000)])
    assert read_predictions(path).labels.tolist() == [0, 999, 1, 2]


@pytest.mark.parametrize(
    "wrong",
    [{"predicted": [0, 1]}, {"labels": [0, 1, 2, 3]}, {"predicted": [0, -1, 0, 0]}, {"truth_probability": [0.5]}],
)
def test_inconsistent_predictions_are_not_written(path, wrong):
    with pytest.raises(ValueError, match=r"classes from|differ in length"):
        write(path, **wrong)
    assert not path.exists()


def test_a_missing_file_is_not_an_error(path):
    assert read_predictions(path) is None


def test_no_damage_is_accepted(path):
    write(path)
    whole = path.read_bytes()
    draw = np.random.default_rng(0)
    expected = read_predictions(path)
    for _ in range(150):
        damaged = bytearray(whole)
        if draw.integers(2):
            del damaged[int(draw.integers(1, len(whole))) :]
        else:
            damaged[int(draw.integers(len(whole)))] ^= 1 << int(draw.integers(8))
        path.write_bytes(damaged)
        try:
            found = read_predictions(path)
        except RunError as error:
            assert "is damaged" in error.message  # noqa: PT017  # a flip in a date of the archive is none
        else:
            assert np.array_equal(found.predicted, expected.predicted)
            assert np.array_equal(found.labels, expected.labels)
            assert found.classes == expected.classes


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def header(shape: str, kind: str = "|u1") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        archive(),
        archive(labels=b"x", predicted=b"x", truth_probability=b"x", classes=b"x"),
        archive(labels=header("(10**15,)")),
        archive(labels=header("(1000000000000,)")),
        archive(labels=header("(1,)", "|O") + b"\x80\x04N."),
    ],
    ids=["empty", "text", "no arrays", "no numpy", "expression", "huge", "pickle"],
)
def test_hostile_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(RunError, match="is damaged"):
        read_predictions(path)


@pytest.mark.skipif(os.name != "posix", reason="folders can be read as files elsewhere")
def test_a_folder_in_its_place_is_reported(path):
    path.mkdir()
    with pytest.raises((RunError, OSError)):
        read_predictions(path)
