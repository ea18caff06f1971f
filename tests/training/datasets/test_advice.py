"""Each error about an array names the line of NumPy that repairs it, and that line works."""

import re
from pathlib import Path

import numpy as np
import pytest

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.datasets.advice import picture_fault
from cifar_dsl.training.datasets.store import load_npz

RANDOM = np.random.default_rng(0)
BYTES = {
    "x_train": RANDOM.integers(0, 256, (12, 6, 6, 3), np.uint8),
    "x_test": RANDOM.integers(0, 256, (6, 6, 6, 3), np.uint8),
}
BYTES["x_train"][0, 0, 0], BYTES["x_test"][0, 0, 0] = (0, 1, 255), (0, 1, 255)
LABELS = {"y_train": np.arange(12) % 3, "y_test": np.arange(6) % 3}


def pictures(change):
    return {name: change(array) for name, array in BYTES.items()}


def labels(change):
    return {name: change(array) for name, array in LABELS.items()}


def boxed(values) -> np.ndarray:
    """An array of objects, as numpy makes of a list of arrays."""
    array = np.empty(len(values), object)
    array[:] = list(values)
    return array


def error_of(path: Path) -> DataError | None:
    try:
        load_npz(path)
    except DataError as error:
        return error
    return None


def repair(path: Path, arrays: dict[str, np.ndarray]) -> tuple[Dataset, int]:
    """Load the arrays; until that works, run the lines of NumPy that the error gives. Counts the errors."""
    script: dict[str, object] = {"numpy": np, **arrays}
    for errors in range(9):
        stored = {name: array for name, array in script.items() if name[:2] in {"x_", "y_"} or name == "classes"}
        np.savez(path, **stored)
        fault = error_of(path)
        if fault is None:
            return load_npz(path), errors
        lines = re.findall(r"`([^`]* = [^`]*)`", fault.help[0])
        assert lines, (fault.message, fault.help)
        for line in lines:
            exec(line, script)
            if "the same for" in fault.help[0]:
                exec(line.replace("train", "test"), script)
    pytest.fail("the advice doesn't help")


CASES = {
    "one column of labels": labels(lambda y: y[:, None]),
    "one row of labels": labels(lambda y: y[None]),
    "one-hot rows": labels(lambda y: np.eye(3)[y]),
    "one-hot rows of integers": labels(lambda y: np.eye(3, dtype=np.int64)[y]),
    "probabilities": labels(lambda y: 0.1 + 0.7 * np.eye(3)[y]),
    "labels as floats": labels(lambda y: y.astype(np.float32)),
    "a column of floats": labels(lambda y: y[:, None].astype(np.float32)),
    "labels as objects": labels(lambda y: y.astype(object)),
    "names as labels": labels(lambda y: np.array(["ant", "bee", "cat"])[y]),
    "names as objects": labels(lambda y: np.array(["ant", "bee", "cat"], object)[y]),
    "labels from 1": labels(lambda y: y + 1),
    "labels from 1 with names": {**labels(lambda y: y + 1), "classes": np.array(["ant", "bee", "cat"])},
    "labels from 3": labels(lambda y: 2 * y + 3),
    "fractions": pictures(lambda x: x / 255),
    "half-precision fractions": pictures(lambda x: (x / 255).astype(np.float16)),
    "from -1 to 1": pictures(lambda x: x / 127.5 - 1),
    "bytes as floats": pictures(lambda x: x.astype(np.float32)),
    "bytes as integers": pictures(lambda x: x.astype(np.int64)),
    "bytes with a sign": pictures(lambda x: x.view(np.int8)),
    "16 bits": pictures(lambda x: x.astype(np.uint16) * 257),
    "12 bits": pictures(lambda x: x.astype(np.int32) << 4),
    "channels first": pictures(lambda x: x.transpose(0, 3, 1, 2)),
    "rows of pixels": pictures(lambda x: x.transpose(0, 3, 1, 2).reshape(len(x), -1)),
    "objects": pictures(boxed),
    "fractions with channels first": pictures(lambda x: (x / 255).transpose(0, 3, 1, 2)),
    "an axis too many": pictures(lambda x: x[:, None]),
    "five channels": pictures(lambda x: np.concatenate([x, x[..., :2]], 3)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_advice_leads_to_the_right_dataset(tmp_path, case):
    repaired, errors = repair(tmp_path / "a.npz", BYTES | LABELS | CASES[case])
    assert errors > 0
    for name, array in (BYTES | LABELS).items():
        assert np.array_equal(getattr(repaired, name), array), name


GREY = {name: np.ascontiguousarray(array[..., :1]) for name, array in BYTES.items()}


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x[..., 0],
        lambda x: x[..., 0] / 255,
        lambda x: x.reshape(len(x), -1),
        lambda x: x[:, None],
        lambda x: x[..., 0] > 127,
    ],
    ids=["no channel axis", "fractions without a channel axis", "rows of pixels", "an axis too many", "two colours"],
)
def test_the_advice_for_grey_pictures(tmp_path, change):
    changed = {name: change(array) for name, array in GREY.items()}
    repaired, errors = repair(tmp_path / "a.npz", changed | LABELS)
    assert errors > 0
    wanted = 255 * (GREY["x_train"] > 127) if changed["x_train"].dtype == bool else GREY["x_train"]
    assert np.array_equal(repaired.x_train, wanted)


@pytest.mark.parametrize(
    ("changes", "help_text"),
    [
        (pictures(lambda x: x / 255 / 0.2 - 2), "before any scaling"),
        (pictures(lambda x: np.where(x == 0, np.nan, x)), "NaN"),
        (pictures(lambda x: x.astype(str)), "before any scaling"),
        (pictures(lambda x: x.astype(np.int64) - 1000), "before any scaling"),
        ({**pictures(lambda x: x[:0]), **labels(lambda y: y[:0])}, "add at least one picture"),
        (pictures(lambda x: x[:0] / 255), "store at least one picture"),
        (pictures(lambda x: x[0, 0, 0]), "(N, H, W, C)"),
        (labels(lambda y: np.stack([y, y], 1)), "one integer per picture"),
        (labels(lambda y: y + 0.5), "one integer per picture"),
    ],
)
def test_what_no_line_can_repair_is_explained(tmp_path, changes, help_text):
    np.savez(tmp_path / "a.npz", **{**BYTES, **LABELS, **changes})
    with pytest.raises(DataError) as caught:
        load_npz(tmp_path / "a.npz")
    assert help_text in caught.value.help[0]
    assert " = " not in caught.value.help[0]


def notes(**changes: np.ndarray) -> tuple[str, ...]:
    arrays = {**BYTES, **LABELS, **changes}
    return Dataset(name="npz", **arrays, classes=("ant", "bee", "cat"), origin="").notes


def test_what_is_probably_not_intended_is_noted():
    assert notes() == ()
    dark = pictures(lambda x: (x / 255).astype(np.uint8))
    assert [note.split(",")[0] for note in notes(**dark)] == [
        "no byte of x_train exceeds 1",
        "no byte of x_test exceeds 1",
    ]
    assert notes(y_train=np.arange(12) % 2) == (
        "1 of 3 classes have no training images (2 in the other split), so the network can't learn them: cat",
    )
    assert notes(y_test=np.zeros(6, np.int64)) == (
        "2 of 3 classes have no test images (8 in the other split), so the accuracy leaves them out: bee, cat",
    )


@pytest.mark.parametrize(
    ("shape", "is_fine"),
    [((6, 8, 8, 3), True), ((0, 8, 8, 3), True), ((6, 0, 8, 3), False), ((6, 8, 8, 0), False), ((0, 0), False)],
)
def test_pictures_have_at_least_one_pixel(shape, is_fine):
    fault = picture_fault("x_train", np.zeros(shape, np.uint8))
    assert (fault is None) == is_fine
    assert is_fine or fault.help == "store pictures of at least one pixel and one channel"


def test_a_list_of_bytes_has_the_wrong_axes():
    fault = picture_fault("x_train", np.zeros(6, np.uint8))
    assert fault.problem == "is uint8 (6), not (N, H, W, C)"
    assert fault.help != "store pictures of at least one pixel and one channel"
