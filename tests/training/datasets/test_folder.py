"""Importing valid and invalid trees of PNG files."""

import contextlib
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.training.datasets.cifar import CIFAR10_CLASSES
from cifar_dsl.training.datasets.folder import import_folder


def picture(seed: int, shape: tuple[int, ...] = (5, 4, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def plant(root: Path, classes: tuple[str, ...] = ("cat", "ant")) -> Path:
    for i, name in enumerate(classes):
        for j in range(3):
            save(root / "train" / name / f"{j}.png", picture(10 * i + j))
        save(root / "test" / name / "a.PNG", picture(10 * i + 9))
    return root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return plant(tmp_path / "tree")


def test_a_tree_becomes_arrays(tree):
    reports = []
    dataset = import_folder(tree, progress=lambda *news: reports.append(news))
    assert dataset.classes == ("ant", "cat")
    assert dataset.x_train.shape == (6, 5, 4, 3)
    assert dataset.y_train.tolist() == [0, 0, 0, 1, 1, 1]
    assert np.array_equal(dataset.x_test, np.stack([picture(19), picture(9)]))
    assert sorted(x.tobytes() for x in dataset.x_train[:3]) == sorted(picture(10 + j).tobytes() for j in range(3))
    assert (dataset.name, dataset.origin) == ("npz", f"imported from {tree.name}")
    assert reports == [(i, 8, "pictures") for i in range(1, 9)]


def test_names_of_files_do_not_matter(tree):
    before = import_folder(tree)
    (tree / "train/cat/0.png").rename(tree / "train/cat/zzz.png")
    assert import_folder(tree).digest == before.digest


def test_a_tree_with_the_classes_of_cifar10_takes_its_name_and_order(tmp_path):
    dataset = import_folder(plant(tmp_path, CIFAR10_CLASSES[::-1]))
    assert dataset.name == "cifar10"
    assert dataset.classes == CIFAR10_CLASSES


def test_grey_palette_and_transparent_pictures_become_rgb(tree):
    grey = picture(1, (5, 4))
    save(tree / "test/ant/a.PNG", grey)
    assert np.array_equal(import_folder(tree).x_test[0], np.repeat(grey[..., None], 3, 2))
    transparent = picture(2, (5, 4, 4))
    save(tree / "test/ant/a.PNG", transparent)
    assert np.array_equal(import_folder(tree).x_test[0], transparent[..., :3])
    Image.fromarray(picture(3)).quantize(4).save(tree / "test/ant/a.PNG")
    assert import_folder(tree).x_test.shape == (2, 5, 4, 3)


def test_hidden_files_are_skipped(tree):
    (tree / "train/.cache").mkdir()
    (tree / "train/cat/._0.png").write_bytes(b"")
    assert len(import_folder(tree).x_train) == 6


def remove(path: str):
    return lambda tree: shutil.rmtree(tree / path)


def write(path: str, content: bytes):
    return lambda tree: (tree / path).write_bytes(content)


def truncate(tree: Path) -> None:
    path = tree / "train/cat/1.png"
    path.write_bytes(path.read_bytes()[:-30])


def flip(tree: Path) -> None:
    path = tree / "train/cat/1.png"
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 8] ^= 0xFF
    path.write_bytes(content)


def enormous(tree: Path) -> None:
    """A header that claims 60,000 x 60,000 pixels."""
    path = tree / "train/cat/1.png"
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)


def jpeg(tree: Path) -> None:
    Image.fromarray(picture(0)).save(tree / "train/cat/1.png", format="JPEG")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove("train"), "cannot read .*train"),
        (remove("test"), "cannot read .*test"),
        (remove("test/cat"), "class cat is only in .*train"),
        (remove("train/ant"), "class ant is only in .*test"),
        (lambda tree: [remove("train/cat")(tree), remove("train/ant")(tree)], "train has no folders"),
        (lambda tree: (tree / "test/cat/a.PNG").unlink(), "cat is empty"),
        (write("train/cat/notes.txt", b""), "notes.txt is not a PNG file"),
        (write("train/cat/1.png", b""), "1.png can't be read"),
        (write("train/cat/1.png", b"<html>"), "1.png can't be read"),
        (truncate, "1.png can't be read"),
        (flip, "1.png can't be read"),
        (enormous, "1.png (can't be read|is 60000x60000)"),
        (jpeg, "1.png can't be read"),
        (lambda tree: save(tree / "train/cat/1.png", picture(0, (4, 5, 3))), "1.png is 5x4 pixels, not 4x5"),
        (
            lambda tree: save(tree / "train/cat/1.png", picture(0, (1, 513, 3))),
            "1.png is 513x1 pixels of mode",
        ),
        (lambda tree: save(tree / "train/cat/1.png", np.zeros((5, 4), np.uint16)), "mode I;16"),
    ],
)
def test_a_bad_tree_is_refused_with_the_path_at_fault(tree, spoil, message):
    spoil(tree)
    with pytest.raises(DataError, match=message) as caught:
        import_folder(tree)
    assert caught.value.reason
    assert caught.value.help


def test_damage_anywhere_is_detected_or_harmless(tree):
    path = tree / "train/cat/1.png"
    digest, whole = import_folder(tree).digest, path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        with contextlib.suppress(DataError):  # flips in the chunks around the pixels change nothing
            assert import_folder(tree).digest == digest
