"""Imports a folder tree of PNG files."""

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.training.datasets.cifar import CIFAR10_CLASSES, CIFAR100_CLASSES
from cifar_dsl.training.datasets.dataset import Dataset
from cifar_dsl.training.datasets.progress import Progress
from cifar_dsl.training.datasets.store import canonical_order

SIDE_LIMIT = 512  # pixels
_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}  # up to 8 bits per channel; converting 16 bits would lose information

# What Pillow raises for a damaged file, besides OSError.
_DAMAGE = (
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)

_LAYOUT = "store the pictures as train/<class>/*.png and test/<class>/*.png"


def import_folder(directory: Path, progress: Progress | None = None) -> Dataset:
    """The pictures of a tree `train|test/<class>/*.png`, (N, H, W, 3), in canonical order.

    Grey, palette and transparent pictures are converted to RGB, without their transparency. Classes are sorted by name,
    as CIFAR-10 and CIFAR-100 officially are; a tree with the classes of one of them takes its name. Hidden files are
    skipped. Any other file that isn't a PNG is an error, so no picture is left out silently.

    Args:
        directory: The folder that holds `train` and `test`.
        progress: Called with the number of pictures read.

    Raises:
        DataError: The tree has another layout, a file is damaged, or two pictures differ in size.
    """
    try:
        train, test = (_files(directory / split) for split in ("train", "test"))
    except OSError as error:
        raise DataError(f"cannot read {error.filename}", _LAYOUT, reason=str(error)) from error
    lone = sorted(train.keys() ^ test.keys())
    if lone:
        raise DataError(
            f"class {lone[0]} is only in {directory / ('train' if lone[0] in train else 'test')}",
            _LAYOUT,
            reason="training and testing need the same classes",
        )
    classes = tuple(train)
    total = sum(len(files) for files in (*train.values(), *test.values()))
    reader = _PictureReader(total, progress)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        x_train, y_train = reader.read(train)
        x_test, y_test = reader.read(test)
    return Dataset(
        name={CIFAR10_CLASSES: "cifar10", CIFAR100_CLASSES: "cifar100"}.get(classes, "npz"),
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        classes=classes,
        origin=f"imported from {directory.resolve().name}",  # the rest of the path is private
    )


def _files(split: Path) -> dict[str, list[Path]]:
    """The PNG files of each class, both sorted by name."""
    folders = [entry for entry in _visible(split) if entry.is_dir()]
    if not folders:
        raise DataError(f"{split} has no folders", _LAYOUT, reason="each class needs a folder of its own")
    files = {folder.name: _visible(folder) for folder in folders}
    for folder in folders:
        if not files[folder.name]:
            raise DataError(f"{folder} is empty", _LAYOUT, reason="each class needs pictures in both splits")
        for file in files[folder.name]:
            if file.suffix.lower() != ".png":
                raise DataError(
                    f"{file} is not a PNG file",
                    "convert it to PNG, or move it elsewhere",
                    reason="a class folder may contain only PNG files, so that no picture is left out silently",
                )
    return files


def _visible(folder: Path) -> list[Path]:
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted(entries, key=lambda entry: entry.name)


class _PictureReader:
    """Reads pictures, counts them, and checks that all have the size of the first."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done = 0
        self._total = total
        self._progress = progress
        self._first: tuple[Path, tuple[int, ...]] | None = None

    def read(self, classes: dict[str, list[Path]]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """The pictures of one split, (N, H, W, 3), and their labels, (N,), in canonical order."""
        images = [self._read_next(file) for files in classes.values() for file in files]
        labels = np.repeat(np.arange(len(classes)), [len(files) for files in classes.values()])
        return canonical_order(np.stack(images), labels)

    def _read_next(self, path: Path) -> npt.NDArray[np.uint8]:
        image = _read_png(path)
        if self._first is None:
            self._first = path, image.shape
        first, shape = self._first
        if image.shape != shape:
            raise DataError(
                f"{path} is {image.shape[1]}x{image.shape[0]} pixels, not {shape[1]}x{shape[0]} like {first}",
                "resize all pictures to one size first",
                reason="all pictures of a dataset must have the same size",
            )
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total, "pictures")
        return image


def _read_png(path: Path) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if max(image.size) > SIDE_LIMIT or image.mode not in _MODES:
                raise DataError(
                    f"{path} is {image.width}x{image.height} pixels of mode {image.mode}",
                    "scale it down, or convert it to 8 bits",
                    reason=f"pictures may have up to {SIDE_LIMIT} pixels per side and 8 bits per channel",
                )
            return np.asarray(image.convert("RGB"))
    except (OSError, *_DAMAGE) as error:
        raise DataError(
            f"{path} can't be read as a PNG file", "replace the file with an undamaged one", reason=str(error)
        ) from error
