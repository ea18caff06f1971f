"""Hostile .npz files: refused in a bounded time and memory, with an error that says why."""

import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.training.datasets import store
from cifar_dsl.training.datasets.store import load_npz

_OTHERS = {"y_train": np.arange(40) % 3, "x_test": np.zeros((20, 8, 8, 3), np.uint8), "y_test": np.arange(20) % 3}


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(text: bytes, version: bytes = b"\x01\x00") -> bytes:
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text


def described(shape: object, descr: object = "|u1") -> bytes:
    return header(repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n")


def write(path: Path, first: bytes, *more: tuple[str, bytes]) -> Path:
    members = [("x_train.npy", first), *((f"{key}.npy", npy(array)) for key, array in _OTHERS.items()), *more]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "own.npz"


HEADERS = {
    "brackets": header(b"(" * 9000),
    "few brackets": header(b"(" * 500),
    "an open string": header(b"'''"),
    "signs": header(b"-" * 900 + b"1"),
    "nothing": header(b""),
    "a number": header(b"1"),
    "no shape": header(b"{'descr': '|u1', 'fortran_order': False}"),
    "an unknown type": described((40, 8, 8, 3), "|q9"),
    "a nested type": described((40, 8, 8, 3), [("a", "|u1", (2,) * 20)]),
    "a negative extent": described((-40, -8, 8, 3)),
    "a huge extent": described((10**15, 8, 8, 3)),
    "an extent beyond 64 bits": described((2**70,)),
    "no integer": described((1.5,)),
    "a later version": b"\x93NUMPY\x09\x00" + bytes(100),
    "a bad version 2": header(b"(" * 900, b"\x02\x00"),
    "no magic": b"x" * 100,
}


@pytest.mark.parametrize("kind", HEADERS)
def test_a_hostile_header_is_damage(path, kind):
    write(path, HEADERS[kind] + bytes(40 * 8 * 8 * 3))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="is damaged"):
            load_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_arrays_that_inflate_to_a_multiple_of_the_file_are_refused_unread(path, monkeypatch):
    monkeypatch.setattr(store, "_INFLATED_BYTES", 2_000_000)
    head = described((3_000_000 // 192, 8, 8, 3))
    write(path, head + bytes(3_000_000))
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(store, "_read", lambda *_: pytest.fail("an array was read"))
    with pytest.raises(DataError, match=r"inflate from .* kB to 3.01 MB") as caught:
        load_npz(path)
    assert "numpy.savez" in caught.value.help[0]


def test_the_advice_about_arrays_that_inflate_works(path, monkeypatch):
    monkeypatch.setattr(store, "_INFLATED_BYTES", 2_000_000)
    arrays = _OTHERS | {
        "x_train": np.zeros((40, 128, 128, 4), np.uint8),
        "x_test": np.zeros((20, 128, 128, 4), np.uint8),
    }
    np.savez_compressed(path, **arrays)
    with pytest.raises(DataError, match="inflate"):
        load_npz(path)
    np.savez(path, **arrays)
    assert load_npz(path).image_shape == (4, 128, 128)


def test_a_size_that_the_directory_understates_is_damage(path, monkeypatch):
    """zipfile reads no more than the declared size, so the declared sizes bound the memory."""
    write(path, npy(np.zeros((40, 8, 8, 3), np.uint8)))
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"x_train.npy") - 46
    assert struct.unpack_from("<I", content, entry + 24) == (128 + 40 * 192,)
    struct.pack_into("<I", content, entry + 24, 100)
    path.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        load_npz(path)


@pytest.mark.parametrize("name", ["fifo", "zero"])
def test_only_regular_files_are_opened(tmp_path, name):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(DataError, match="cannot read") as caught:
        load_npz(tmp_path / name)
    assert "not a regular file" in caught.value.reason


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_array_that_is_there_twice_is_refused(path):
    write(path, npy(np.zeros((40, 8, 8, 3), np.uint8)), ("x_train.npy", npy(np.ones((40, 8, 8, 3), np.uint8))))
    with pytest.raises(DataError, match="contains x_train twice"):
        load_npz(path)


def test_texts_are_short(path):
    write(path, npy(np.zeros((40, 8, 8, 3), np.uint8)), ("origin.npy", npy(np.array("x" * 2000))))
    assert load_npz(path).origin == "own.npz"


def test_arrays_that_changed_after_they_were_written_are_damage(path):
    store.save_npz(load_npz(write(path, npy(np.zeros((40, 8, 8, 3), np.uint8)))), path)
    with np.load(path) as file:
        arrays = dict(file)
    arrays["x_train"][0] = 1
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="is damaged") as caught:
        load_npz(path)
    assert "digest" in caught.value.reason
    assert "without `sha256`" in caught.value.help[1]
    del arrays["sha256"]
    np.savez(path, **arrays)
    assert load_npz(path).x_train[0, 0, 0, 0] == 1


def test_labels_count_as_they_are_in_memory(path, monkeypatch):
    """A label of one byte in the file becomes a number of 64 bits."""
    monkeypatch.setattr(store, "_INFLATED_BYTES", 2_000_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**_OTHERS, "x_train": _OTHERS["x_test"], "y_train": np.zeros(300_000, np.int8)}.items():
            archive.writestr(f"{name}.npy", npy(content))
    monkeypatch.setattr(store, "_read", lambda *_: pytest.fail("an array was read"))
    with pytest.raises(DataError, match=r"inflate from .* kB to 2.41 MB"):
        load_npz(path)


PICTURES = npy(np.zeros((40, 8, 8, 3), np.uint8))


@pytest.mark.parametrize(
    ("classes", "reason"),
    [
        (described((10**12,), "<U0"), "take no bytes"),
        (described((2,), "<U1") + b"\xff\xff\xff\xffa\0\0\0", "no text"),
        (described((2,), ">U1") + b"\0\x11\0\0\0\0\0a", "no text"),
    ],
)
def test_hostile_names_are_damage(path, classes, reason):
    write(path, PICTURES, ("classes.npy", classes))
    with pytest.raises(DataError, match="is damaged") as caught:
        load_npz(path)
    assert reason in caught.value.reason


def test_empty_items_are_damage_in_any_array(path):
    write(path, described((10**12,), "|V0"))
    with pytest.raises(DataError, match="is damaged"):
        load_npz(path)


@pytest.mark.parametrize(("limit", "value"), [("_CLASSES_LIMIT", 3), ("_NAMES_BYTES", 60)])
def test_names_are_bounded(path, monkeypatch, limit, value):
    """Before a text is made of each; a record that holds them stays readable."""
    monkeypatch.setattr(store, limit, value)
    write(path, PICTURES, ("classes.npy", npy(np.array(["one", "two", "three"]))))
    assert load_npz(path).classes == ("one", "two", "three")
    write(path, PICTURES, ("classes.npy", npy(np.array(["one", "two", "three", "four"]))))
    with pytest.raises(DataError, match="is 4 names of up to 5 characters") as caught:
        load_npz(path)
    assert caught.value.help == ("shorten the names, or omit the array",)


def test_one_of_many_names_that_is_there_twice_is_found(path):
    names = [*map(str, range(100_000)), "99999"]
    write(path, PICTURES, ("classes.npy", npy(np.array(names))))
    with pytest.raises(DataError, match="contains '99999' twice"):
        load_npz(path)


def test_labels_are_no_durations(path):
    write(path, PICTURES)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"y_train": arrays["y_train"].astype("m8[s]")})
    with pytest.raises(DataError, match=r"y_train .* is timedelta64.*, not integers"):
        load_npz(path)
