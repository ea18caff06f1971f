""".npz files: a written dataset can be read, and damage is detected and reported."""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

import numpy as np
import pytest

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.foundation.records import evolve
from cifar_dsl.training.datasets import Dataset, load_dataset
from cifar_dsl.training.datasets.store import canonical_order, load_npz, save_npz


def arrays(n: int = 6) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "x_train": random.integers(0, 256, (n, 4, 5, 3), np.uint8),
        "y_train": np.arange(n) % 3,
        "x_test": random.integers(0, 256, (3, 4, 5, 3), np.uint8),
        "y_test": np.arange(3),
    }


def write(path: Path, **changes: np.ndarray | None) -> Path:
    merged = {**arrays(), **changes}
    np.savez(path, **{key: value for key, value in merged.items() if value is not None})
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "own.npz"


def test_round_trip_keeps_everything(path):
    dataset = Dataset(name="npz", **arrays(), classes=("a", "bé", "c"), origin="made up")
    save_npz(dataset, path)
    again = load_npz(path)
    assert again.digest == dataset.digest
    assert (again.classes, again.origin) == (("a", "bé", "c"), "made up")
    assert again.x_train.shape == (6, 4, 5, 3)
    assert again.image_shape == (3, 4, 5)
    assert [entry.name for entry in path.parent.iterdir()] == ["own.npz"]


def test_mapped_pictures_are_those_of_the_file(path):
    """They are not copied into the process, and what it writes to them stays there."""
    save_npz(load_npz(write(path)), path)
    plain, mapped = (load_npz(path, is_replaced_whole=whole) for whole in (False, True))
    assert (plain.is_mapped, mapped.is_mapped) == (False, True)
    assert type(mapped.x_train) is np.ndarray
    assert mapped.digest == plain.digest
    mapped.x_train[:] = 0
    assert load_npz(path, is_replaced_whole=True).digest == plain.digest
    save_npz(evolve(plain, x_train=mapped.x_train), path)  # another file takes its place
    assert mapped.x_test.tobytes() == plain.x_test.tobytes()


@pytest.mark.parametrize(
    "changes",
    [{"x_train": np.asfortranarray(arrays()["x_train"])}, {"x_test": np.zeros((3, 4, 5, 3), np.uint8)}],
    ids=["transposed", "zeros"],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_pictures_are_mapped_where_the_file_allows_it(path, changes, save):
    save(path, **(arrays() | changes))
    plain, mapped = (load_npz(path, is_replaced_whole=whole) for whole in (False, True))
    assert mapped.digest == plain.digest
    assert mapped.is_mapped == (save is np.savez and "x_train" not in changes)


def test_the_checksum_of_mapped_pictures_is_compared(path):
    many = arrays(600)["x_train"]  # more than zipfile reads and compares with the header
    write(path, x_train=many, y_train=np.arange(600) % 3)
    content = bytearray(path.read_bytes())
    content[content.index(many[-1].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="is damaged") as error:
        load_npz(path, is_replaced_whole=True)
    assert error.value.reason == "x_train has a wrong checksum"


def test_temporary_files_of_killed_processes_are_removed(path):
    dataset = load_npz(write(path))
    killed, alive = (path.with_name(f".own.npz.{process}.tmp") for process in (99999998, 99999999))
    killed.write_bytes(b"half")
    with alive.open("xb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as another process does while it writes
        save_npz(dataset, path)
    assert alive.exists()
    assert not killed.exists()
    save_npz(dataset, path)
    assert [entry.name for entry in path.parent.iterdir()] == ["own.npz"]


def test_classes_without_names_are_numbered(path):
    dataset = load_dataset("npz", path=write(path, y_train=np.array([0, 0, 0, 0, 0, 4], np.uint8)))
    assert dataset.classes == ("0", "1", "2", "3", "4")
    assert dataset.y_train.dtype == np.int64
    assert dataset.origin == "own.npz"  # a report shows it; the folder is private
    assert dataset.path == path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, "is missing x_test"),
        ({"x_train": arrays()["x_train"] / 255}, "x_train .* is float64 .* not uint8"),
        ({"x_train": arrays()["x_train"].transpose(0, 3, 1, 2)}, r"not \(N, H, W, C\)"),
        ({"x_train": arrays()["x_train"][..., 0]}, r"not \(N, H, W, C\)"),
        ({"x_train": arrays()["x_train"][:, :0]}, r"not \(N, H, W, C\)"),
        ({"x_test": arrays()["x_test"][:, :2]}, "pictures of two sizes"),
        ({"y_train": np.eye(6)}, "y_train .* is float64"),
        ({"y_train": np.eye(6, dtype=int)}, r"y_train .* is int64 \(6, 6\), not integers"),
        ({"y_train": np.arange(5)}, "5 labels for 6 pictures"),
        ({"y_test": np.array([0, -1, 2])}, "label -1 at index 1"),
        ({"y_test": np.array([0, 1, 3]), "classes": np.array(["a", "b", "c"])}, "label 3 at index 2"),
        ({"y_test": np.array([0, 1, 10**9])}, "label 1000000000"),
        ({"y_test": np.array([0, 1, 2**64 - 1], np.uint64)}, "label 18446744073709551615"),
        ({"y_test": np.array([0, 1, 2**63], np.uint64), "classes": np.array(["a", "b"])}, "label 9223372036854775808"),
        ({"x_test": arrays()["x_test"][:0], "y_test": np.arange(0)}, "x_test .* is empty"),
        ({"classes": np.array([1, 2, 3])}, "classes .* not text"),
        ({"y_train": np.array([{}] * 6)}, "y_train .* is an array of Python objects"),  # pickled, and so never read
        ({"classes": np.array(["a", "b", "a"])}, "classes .* contains 'a' twice"),
    ],
)
def test_arrays_that_are_not_a_dataset_are_refused(path, changes, message):
    with pytest.raises(DataError, match=message) as caught:
        load_npz(write(path, **changes))
    assert caught.value.reason
    assert caught.value.help
    assert str(caught.value) == caught.value.message


def test_each_flipped_bit_in_the_pictures_is_detected(path):
    write(path)
    whole = path.read_bytes()
    start = whole.index(arrays()["x_train"].tobytes())
    for offset in (0, 17, arrays()["x_train"].size - 1):
        damaged = bytearray(whole)
        damaged[start + offset] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="damaged") as caught:
            load_npz(path)
        assert "CRC" in caught.value.reason
        assert f"delete {path}" in caught.value.help[0]


def test_damage_anywhere_raises_nothing_but_a_data_error(path):
    write(path)
    whole = path.read_bytes()
    random = np.random.default_rng(1)
    for place in random.integers(0, len(whole), 600):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(DataError):  # a bit without a meaning, as of a date, may flip unnoticed
            load_npz(path)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html></html>", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_not_an_archive_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged, or not an \.npz file"):
        load_npz(path)


def test_a_truncated_file_is_refused(path):
    write(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="damaged"):
        load_npz(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        load_npz(tmp_path / "none.npz")
    with pytest.raises(DataError, match="cannot read"):
        load_npz(tmp_path)


def test_a_full_disk_keeps_the_old_file_and_leaves_no_temporary_one(path, monkeypatch):
    write(path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="cannot write") as caught:
        save_npz(load_npz(path), path)
    assert "No space left" in caught.value.reason
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["own.npz"]


def test_canonical_order_is_independent_of_the_input_order():
    random = np.random.default_rng(2)
    images = random.integers(0, 2, (40, 1, 3, 1), np.uint8)  # few values: many ties, many trailing zeros
    labels = random.integers(0, 3, 40)
    ordered = canonical_order(images, labels)
    shuffled = random.permutation(40)
    for one, other in zip(ordered, canonical_order(images[shuffled], labels[shuffled]), strict=True):
        assert np.array_equal(one, other)
    rows = [(int(label), image.tobytes()) for image, label in zip(*ordered, strict=True)]
    assert rows == sorted(rows)


def test_digest_depends_on_bytes_and_shape():
    def digest(**changes: np.ndarray) -> str:
        return Dataset(name="npz", **{**arrays(), **changes}, classes=("a", "b", "c"), origin="").digest

    other = arrays()["x_train"].copy()
    other[0, 0, 0, 0] ^= 1
    reshaped = {key: arrays()[key].reshape(-1, 5, 4, 3) for key in ("x_train", "x_test")}
    assert digest() == digest()
    assert len({digest(), digest(x_train=other), digest(**reshaped)}) == 3
    assert digest(x_train=np.asfortranarray(arrays()["x_train"])) == digest()
