"""Importing valid and invalid trees of PNG files."""

import contextlib
import hashlib
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.training.datasets.cifar import CIFAR10_CLASSES
from cifar_dsl.training.datasets.dataset import Dataset
from cifar_dsl.training.datasets.folder import FORMATS, UNCHANGED, Conversion, find_tree, import_tree


def import_folder(
    directory: Path, progress=None, *, conversion: Conversion = UNCHANGED, share: float | None = None
) -> Dataset:
    return import_tree(find_tree(directory, share), progress, conversion=conversion)


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
    assert dataset.name == "npz"
    assert dataset.origin == f"imported from {tree.name}, decoded by Pillow {PIL.__version__}"
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


def fifo(tree: Path) -> None:
    (tree / "train/cat/1.png").unlink()
    os.mkfifo(tree / "train/cat/1.png")


def zero(tree: Path) -> None:
    (tree / "train/cat/1.png").unlink()
    (tree / "train/cat/1.png").symlink_to("/dev/zero")


def animation(tree: Path) -> None:
    first, second = (Image.fromarray(picture(seed)) for seed in (0, 1))
    first.save(tree / "train/cat/1.png", format="GIF", save_all=True, append_images=[second])


def sixteen_bits(color: int, channels: int):
    """A PNG file with 16 bits per channel, which Pillow can't write in colour."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 5, 16, color, 0, 0, 0))
    rows = b"".join(b"\0" + bytes(range(4 * channels * 2)) for _ in range(5))
    return write("train/cat/1.png", header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove("train"), "cannot read .*train"),
        (remove("test"), "cannot read .*test"),
        (remove("test/cat"), "class cat is only in .*train"),
        (remove("train/ant"), "class ant is only in .*test"),
        (lambda tree: [remove("train/cat")(tree), remove("train/ant")(tree)], "train has no folders"),
        (lambda tree: (tree / "test/cat/a.PNG").unlink(), "cat is empty"),
        (write("train/cat/notes.txt", b""), "notes.txt is not a picture"),
        (write("train/cat/1.png", b""), "1.png can't be read"),
        (write("train/cat/1.png", b"<html>"), "1.png can't be read"),
        (truncate, "1.png can't be read"),
        (flip, "1.png can't be read"),
        (enormous, "1.png (is too large|is 60000x60000)"),
        (fifo, "1.png can't be read"),
        (zero, "1.png can't be read"),
        (sixteen_bits(2, 3), "1.png is 4x5 pixels of mode RGB, with 16 bits"),
        (sixteen_bits(4, 2), "1.png is 4x5 .* with 16 bits"),
        (sixteen_bits(6, 4), "1.png is 4x5 .* with 16 bits"),
        (sixteen_bits(0, 1), "1.png is 4x5 .* with 16 bits"),
        (animation, "1.png has 2 frames"),
        (write("train/cat/1.png", b"P6 4 5 65535\n" + bytes(120)), "1.png is 4x5 .* with 16 bits"),
        (lambda tree: (tree / "test").rename(tree / "val"), "cannot read .*test"),
        (lambda tree: (tree / "train").rename(tree / "Training"), "cannot read .*train"),
        (lambda tree: save(tree / "train/cat/1.png", picture(0, (4, 5, 3))), "1.png is 5x4 pixels, not 4x5"),
        (
            lambda tree: save(tree / "train/cat/1.png", picture(0, (1, 513, 3))),
            "1.png is 513x1 pixels",
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


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read(tree, name):
    """Those without loss give the same pixels; the others the pixels that Pillow decodes."""
    options = {"lossless": True} if name == "WEBP" else {}
    before = import_folder(tree)
    for path in [*tree.glob("*/*/*.png"), *tree.glob("*/*/*.PNG")]:
        with Image.open(path) as image:
            image.load()
            path.unlink()
            image.save(path.with_suffix(FORMATS[name][-1]), format=name, **options)
    after = import_folder(tree)
    assert after.x_train.shape == before.x_train.shape
    if name not in {"JPEG", "GIF"}:  # GIF has 256 colours
        assert after.digest == before.digest


def test_a_jpeg_under_the_name_of_a_png_is_read(tree):
    Image.fromarray(picture(0)).save(tree / "train/cat/1.png", format="JPEG")
    assert len(import_folder(tree).x_train) == 6


def test_a_picture_is_turned_as_the_camera_was_held(tree):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn to the right
    Image.fromarray(picture(9)[::-1].transpose(1, 0, 2)).save(tree / "test/ant/a.PNG", exif=exif)
    with Image.open(tree / "test/ant/a.PNG") as image:
        assert image.size == (5, 4)
    turned = import_folder(tree).x_test[0]
    assert turned.shape == (5, 4, 3)


def test_pictures_are_resized_and_made_grey(tree):
    for path, size in (("train/cat/1.png", (700, 20)), ("test/ant/a.PNG", (3, 9))):
        Image.new("RGB", size, (10, 20, 30)).save(tree / path)
    dataset = import_folder(tree, conversion=Conversion(resize=(8, 6), grey=True))
    assert dataset.x_train.shape == (6, 8, 6, 1)
    assert np.unique(dataset.x_test[0]).tolist() == [18]  # 0.299 * 10 + 0.587 * 20 + 0.114 * 30
    grey = picture(1, (5, 4))
    save(tree / "test/ant/a.PNG", grey)
    assert import_folder(plant(tree), conversion=Conversion(grey=True)).x_test.shape == (2, 5, 4, 1)


def test_pictures_are_cropped_around_the_centre(tree):
    """A white square in the middle of a wide picture keeps its proportions only if the picture is cropped."""
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[10:30, 30:50] = 255
    save(tree / "test/ant/a.PNG", pixels)
    sides = {}
    for crop in (False, True):
        image = import_folder(tree, conversion=Conversion((40, 40), crop=crop)).x_test[0, ..., 0]
        rows, columns = np.nonzero(image > 127)
        sides[crop] = (np.ptp(rows) + 1, np.ptp(columns) + 1, rows.mean(), columns.mean())
    assert sides == {False: (20, 10, 19.5, 19.5), True: (20, 20, 19.5, 19.5)}
    assert import_folder(tree, conversion=Conversion((8, 8), crop=True)).origin.endswith(", cropped and resized to 8x8")


@pytest.mark.parametrize(("size", "is_stretched"), [((80, 40), True), ((4, 5), False), ((42, 50), False)])
def test_stretched_pictures_are_reported(tree, size, is_stretched):
    Image.new("RGB", size).save(tree / "test/ant/a.PNG")
    for conversion in (Conversion((50, 40)), Conversion((50, 40), crop=True)):
        warnings: list[str] = []
        import_tree(find_tree(tree), conversion=conversion, warn=warnings.append)
        where = f"{tree / 'test/ant/a.PNG'} (80x40 pixels)"
        expected = f"stretched pictures: 1 of 8, such as {where}; --crop cuts them instead"
        assert warnings == ([expected] if is_stretched and not conversion.crop else [])


def test_pictures_and_folders_elsewhere_are_reported(tree):
    for name in ("val/cat/1.png", "unlabelled/1.png", "1.jpg", "2.png", "train/3.png", "README.md", ".git/1.png"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(b"")
    assert find_tree(tree).left_out == (
        f"{tree / 'unlabelled'} is left out; only train/<class>/ and test/<class>/ are read",
        f"{tree / 'val'} is left out; --validation holds out training images",
        f"2 pictures in {tree}, such as 1.jpg, are left out; each class needs a folder of its own",
        f"1 picture in {tree / 'train'}, such as 3.png, is left out; each class needs a folder of its own",
    )
    loose = "1 picture in {}, such as 3.png, is left out; each class needs a folder of its own"
    assert find_tree(tree / "train", 0.5).left_out == (loose.format(tree / "train"),)


def test_grey_keeps_grey(tree):
    grey = picture(1, (5, 4))
    save(tree / "test/ant/a.PNG", grey)
    assert np.array_equal(import_folder(tree, conversion=Conversion(grey=True)).x_test[0, ..., 0], grey)


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Pictures without a split: 20 ants and 10 cats."""
    for name, count in (("ant", 20), ("cat", 10)):
        for seed in range(count):
            save(tmp_path / "flat" / name / f"{seed}.png", picture(seed + 100 * len(name) + count))
    return tmp_path / "flat"


def test_a_split_has_the_same_share_of_each_class(flat):
    dataset = import_folder(flat, share=0.2)
    assert np.bincount(dataset.y_train).tolist() == [16, 8]
    assert np.bincount(dataset.y_test).tolist() == [4, 2]
    assert dataset.origin.endswith("0.2 of each class for testing")
    train, test = ({image.tobytes() for image in images} for images in (dataset.x_train, dataset.x_test))
    assert len(train | test) == 30


def test_a_split_depends_only_on_the_pictures(flat):
    before = import_folder(flat, share=0.2)
    for number, path in enumerate(sorted(flat.glob("ant/*.png"))):
        path.rename(path.with_name(f"x{97 * number % 20}.png"))
    (flat / "ant").rename(flat / "aardvark")
    assert import_folder(flat, share=0.2).digest == before.digest
    assert import_folder(flat, share=0.3).digest != before.digest


def test_this_split_is_drawn(flat):
    """Another draw would silently make other datasets of the same folders."""
    first = import_folder(flat, share=0.2).x_test[0]
    order = sorted(
        (picture(seed + 320) for seed in range(20)), key=lambda x: hashlib.sha256(b"split 0 " + x.tobytes()).digest()
    )
    assert first.tobytes() == min(x.tobytes() for x in order[:4])


@pytest.mark.parametrize(("share", "count"), [(0.2, 2), (0.9, 4), (0.01, 10)])
def test_a_split_without_pictures_of_a_class_is_refused(tmp_path, share, count):
    for name in ("ant", "cat"):
        for seed in range(count):
            save(tmp_path / name / f"{seed}.png", picture(seed))
    with pytest.raises(DataError, match=f"class ant has {count} pictures, too few for --split"):
        find_tree(tmp_path, share)


def test_a_split_of_a_tree_that_has_one_is_refused(tree):
    with pytest.raises(DataError, match="has a folder train") as caught:
        find_tree(tree, 0.2)
    assert str(tree / "train") in caught.value.help[0]
    find_tree(tree / "train", 0.4)
