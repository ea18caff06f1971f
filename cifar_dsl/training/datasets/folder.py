"""Imports a folder tree of pictures."""

import hashlib
import math
import shlex
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL import __version__ as pillow_version

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.foundation.folders import walk
from cifar_dsl.foundation.reading import open_regular
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import reason_of
from cifar_dsl.training.datasets.cifar import CIFAR10_CLASSES, CIFAR100_CLASSES
from cifar_dsl.training.datasets.dataset import Dataset
from cifar_dsl.training.datasets.progress import Progress
from cifar_dsl.training.datasets.published import Split
from cifar_dsl.training.datasets.store import canonical_order

SIDE_LIMIT = 512  # pixels of a picture that is stored
PIXELS_LIMIT = 50_000_000  # of a picture that is resized
FILE_BYTES = 64 * 1024 * 1024  # of one picture

# The formats that are read, and the endings of their files: those that hold plain pictures, in one frame.
FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "PPM": (".pbm", ".pgm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
_ENDINGS = tuple(ending for endings in FORMATS.values() for ending in endings)
_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}  # up to 8 bits per channel; converting 16 bits would lose information
_ORIENTATION = 0x0112  # the EXIF tag of how a camera was held
_TURNED = {5, 6, 7, 8}  # its values that exchange width and height

# What Pillow raises for a damaged file, besides OSError.
_DAMAGE = (
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    EOFError,
    struct.error,
    zlib.error,
)

_LAYOUT = "store the pictures as train/<class>/*.png and test/<class>/*.png"
_OTHER_NAMES = {
    "train": ("Train", "TRAIN", "training", "Training"),
    "test": ("val", "valid", "validation", "Test", "TEST", "testing", "Testing"),
}
_STRETCH = 1.1  # the factor between the sides' scales from which a picture counts as stretched

_Files = dict[str, list[Path]]  # the pictures of each class, both sorted by name
Resizing = tuple[int, int] | None  # height and width


@frozen
class Conversion:
    """What happens to each picture: scaled to (height, width); made grey.

    A picture of other proportions is stretched, or with `crop`, cut to them around its centre first. With `matte`,
    transparent parts are laid on white, as viewers show them; otherwise the transparency is dropped.
    """

    resize: Resizing = None
    grey: bool = False
    crop: bool = False
    matte: bool = False

    def shape(self, height: int, width: int) -> tuple[int, int, int]:
        """The shape (H, W, C) of a picture of this size after the conversion."""
        return (*(self.resize or (height, width)), 1 if self.grey else 3)

    def stretches(self, width: int, height: int) -> bool:
        """Whether a picture of this size visibly changes its proportions."""
        if self.resize is None or self.crop:
            return False
        ratio = (self.resize[1] / width) / (self.resize[0] / height)
        return max(ratio, 1 / ratio) >= _STRETCH

    def __str__(self) -> str:
        cropped = "cropped and " if self.crop else ""
        scaled = f", {cropped}resized to {self.resize[1]}x{self.resize[0]}" if self.resize else ""
        return f"{scaled}{', grey' if self.grey else ''}"


UNCHANGED = Conversion()


@frozen
class Tree:
    """The files of a tree of pictures, for each split; `share` is the share of "all" that becomes the test split."""

    directory: Path
    splits: dict[Literal["train", "test", "all"], _Files]
    share: float | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""
        return tuple(next(iter(self.splits.values())))

    @property
    def name(self) -> str:
        """The name of the dataset: that of CIFAR-10 or CIFAR-100 if it has their classes, else npz."""
        return {CIFAR10_CLASSES: "cifar10", CIFAR100_CLASSES: "cifar100"}.get(self.classes, "npz")

    def count(self, split: Literal["train", "test", "all"]) -> int:
        """The number of pictures of a split."""
        return sum(map(len, self.splits.get(split, {}).values()))

    @property
    def left_out(self) -> tuple[str, ...]:
        """What isn't read although it may be meant to be, in a sentence each: other folders, loose pictures."""
        if "all" in self.splits:
            return _loose(self.directory)
        folders = [one for one in _visible(self.directory) if one.is_dir() and one.name not in self.splits]
        named = tuple(
            f"{folder} is left out; "
            + (
                "--validation holds out training images"
                if folder.name in _OTHER_NAMES["test"]
                else "only train/<class>/ and test/<class>/ are read"
            )
            for folder in folders
        )
        places = (self.directory, *(self.directory / split for split in self.splits))
        return (*named, *(text for place in places for text in _loose(place)))


def find_tree(directory: Path, share: float | None = None) -> Tree:
    """The tree `train|test/<class>/*`, or `<class>/*` if a share of it becomes the test split. Reads no picture.

    Hidden files are skipped. Any other file that isn't a picture is an error, so no picture is left out silently.

    Raises:
        DataError: The tree has another layout.
    """
    if share is not None:
        for split in ("train", "test"):
            if (directory / split).is_dir():
                raise DataError(
                    f"{directory} has a folder {split}",
                    f"leave out --split, or pass the folder to split: `cifar-dsl data import {directory / split} ...`",
                    reason="--split divides the pictures of DIRECTORY/<class>/",
                )
        files = _class_files(directory)
        for name, pictures in files.items():
            if not 0 < _test_count(len(pictures), share) < len(pictures):
                raise DataError(
                    f"class {name} has {len(pictures)} pictures, too few for --split {share:g}",
                    "add pictures to the class, or choose another share",
                    reason="each class needs pictures in both splits",
                )
        return Tree(directory, {"all": files}, share)
    train, test = (_split_files(directory, split) for split in ("train", "test"))
    lone = sorted(train.keys() ^ test.keys())
    if lone:
        raise DataError(
            f"class {lone[0]} is only in {directory / ('train' if lone[0] in train else 'test')}",
            _LAYOUT,
            reason="training and testing need the same classes",
        )
    return Tree(directory, {"train": train, "test": test})


def import_tree(
    tree: Tree,
    progress: Progress | None = None,
    *,
    conversion: Conversion = UNCHANGED,
    warn: Callable[[str], None] = lambda _: None,
) -> Dataset:
    """The pictures of a tree, (N, H, W, 3) or grey (N, H, W, 1), in canonical order.

    Grey, palette and transparent pictures are converted to RGB, without their transparency, and turned as their EXIF
    orientation says. Classes are sorted by name, as CIFAR-10 and CIFAR-100 officially are; a tree with the classes of
    one of them takes its name. The headers of all files are checked before the first picture is decoded.

    Args:
        tree: The files.
        progress: Called with the number of pictures read.
        conversion: What happens to each picture.
        warn: Called before the first picture is decoded, if pictures are stretched.

    Raises:
        DataError: A file is not a picture or damaged, or two pictures differ in size.
    """
    files = [path for split in tree.splits.values() for paths in split.values() for path in paths]
    with _strict_warnings():
        shape = _common_shape(files, conversion, warn)
        images = np.empty((len(files), *shape), np.uint8)
        for index, path in enumerate(files):
            images[index] = _decode(path, conversion)
            if progress:
                progress(index + 1, len(files), "pictures")
    (x_train, y_train), (x_test, y_test) = _splits(tree, images)
    how = f", {tree.share:g} of each class for testing" if tree.share is not None else ""
    return Dataset(
        name=tree.name,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        classes=tree.classes,
        # The rest of the path is private. Decoders of JPEG may differ in the last bit.
        origin=f"imported from {tree.directory.resolve().name}, decoded by Pillow {pillow_version}{conversion}{how}",
    )


def pictures_of_classes(directory: Path) -> dict[str, list[Path]]:
    """The pictures of each class in `directory/test/<class>/`, or in `directory/<class>/`, sorted. Raises DataError."""
    test = directory / "test"
    try:
        return _class_files(test if test.is_dir() else directory)
    except FileNotFoundError as error:
        raise DataError(f"there is no folder {directory}", "check the path") from error


def read_picture(path: Path, conversion: Conversion) -> npt.NDArray[np.uint8]:
    """The pixels of one picture after the conversion, (H, W, C). Raises DataError."""
    if not path.exists():
        raise DataError(f"there is no file {path}", "check the path")
    with _strict_warnings():
        return _decode(path, conversion)


def pictures_below(folder: Path) -> list[Path]:
    """The files in a folder and below it whose names end as those of pictures, sorted. Hidden ones are left out.

    Raises DataError if there are none, or the folder can't be read.
    """

    def fail(error: OSError) -> None:
        raise DataError(f"cannot read {error.filename}", "check its permissions", reason=reason_of(error)) from error

    found: list[Path] = []
    for place, folders, names in walk(folder, fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [place / name for name in names if not name.startswith(".")]
    pictures = sorted(path for path in found if path.suffix.lower() in _ENDINGS)
    if not pictures:
        raise DataError(f"{folder} has no pictures", f"pass a folder with files that end with {', '.join(_ENDINGS)}")
    return pictures


@contextmanager
def _strict_warnings() -> Iterator[None]:
    """Pillow's warnings about metadata are ignored; a decompression bomb is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


# ---- the tree


def _split_files(directory: Path, split: str) -> _Files:
    try:
        return _class_files(directory / split)
    except FileNotFoundError as error:
        raise DataError(
            f"cannot read {error.filename}", *_layout_advice(directory, split), reason=reason_of(error)
        ) from error


def _layout_advice(directory: Path, split: str) -> tuple[str, ...]:
    """What to do if the folder of a split is missing."""
    present = {entry.name for entry in directory.iterdir()}  # a file system may not tell Test from test
    if others := [name for name in _OTHER_NAMES[split] if name in present]:
        held = {"train": "training", "test": "test"}[split]
        return f"rename {directory / others[0]} to {directory / split}, if it holds the {held} images", _LAYOUT
    unsplit = directory / "train" if split == "test" else directory
    try:
        _class_files(unsplit)
    except (DataError, OSError):
        return (_LAYOUT,)
    command = shlex.join(
        ["cifar-dsl", "data", "import", str(unsplit), "--split", "0.2", "--to", f"{directory.name}.npz"]
    )
    return _LAYOUT, f"or test on a share of each class: `{command}`"


def _loose(folder: Path) -> tuple[str, ...]:
    """That pictures beside the folders of this folder are left out, in a sentence; empty if there are none."""
    pictures = [one for one in _visible(folder) if one.suffix.lower() in _ENDINGS and not one.is_dir()]
    if not pictures:
        return ()
    count = "1 picture" if len(pictures) == 1 else f"{len(pictures):,} pictures"
    where = "is" if len(pictures) == 1 else "are"
    return (f"{count} in {folder}, such as {pictures[0].name}, {where} left out; each class needs a folder of its own",)


def _class_files(split: Path) -> _Files:
    """The pictures of each class, both sorted by name. Raises DataError; FileNotFoundError without the folder."""
    try:
        folders = [entry for entry in _visible(split) if entry.is_dir()]
        if not folders:
            raise DataError(f"{split} has no folders", _LAYOUT, reason="each class needs a folder of its own")
        files = {folder.name: _visible(folder) for folder in folders}
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {error.filename}", _LAYOUT, reason=reason_of(error)) from error
    for folder in folders:
        if not files[folder.name]:
            raise DataError(f"{folder} is empty", _LAYOUT, reason="each class needs pictures")
        for file in files[folder.name]:
            if file.suffix.lower() not in _ENDINGS:
                raise DataError(
                    f"{file} is not a picture: its name doesn't end with {', '.join(_ENDINGS)}",
                    "convert it to PNG, or move it elsewhere",
                    reason="a class folder may contain only pictures, so that none is left out silently",
                )
    return files


def _visible(folder: Path) -> list[Path]:
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted(entries, key=lambda entry: entry.name)


# ---- the split


def _splits(tree: Tree, images: npt.NDArray[np.uint8]) -> tuple[Split, Split]:
    """The training and test split of the pictures of all files, in the order of the tree."""
    labels = [label for split in tree.splits.values() for label, paths in enumerate(split.values()) for _ in paths]
    y = np.array(labels, np.int64)
    is_test = np.arange(len(y)) >= tree.count("train") if tree.share is None else _drawn(images, y, tree.share)
    return canonical_order(images[~is_test], y[~is_test]), canonical_order(images[is_test], y[is_test])


def _drawn(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64], share: float) -> npt.NDArray[np.bool_]:
    """The mask of the pictures for testing, (N,): this share of each class.

    The draw is a function of the seed 0 and the pictures' bytes, so names of files and other classes don't matter.
    """
    draws = [hashlib.sha256(b"split 0 " + image.tobytes()).digest() for image in images]
    is_test = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        members = sorted(np.flatnonzero(labels == label).tolist(), key=draws.__getitem__)
        is_test[members[: _test_count(len(members), share)]] = True
    return is_test


def _test_count(count: int, share: float) -> int:
    return math.floor(share * count + 0.5)


# ---- the pictures


def _common_shape(files: list[Path], conversion: Conversion, warn: Callable[[str], None]) -> tuple[int, int, int]:
    """The shape (H, W, C) of all pictures after the conversion, from their headers. Raises DataError if they differ."""
    first: tuple[int, int] | None = None
    stretched: list[str] = []
    for path in files:
        with _opened(path, conversion) as image:
            width, height = image.size
            if image.getexif().get(_ORIENTATION) in _TURNED:
                width, height = height, width
        first = first or (width, height)
        if (width, height) != first and conversion.resize is None:
            raise DataError(
                f"{path} is {width}x{height} pixels, not {first[0]}x{first[1]} like {files[0]}",
                "resize all pictures to one size: --resize 32, or --resize WIDTHxHEIGHT",
                reason="all pictures of a dataset must have the same size",
            )
        if conversion.stretches(width, height):
            stretched.append(f"{path} ({width}x{height} pixels)")
    if stretched:
        count = f"{len(stretched):,} of {len(files):,}"
        warn(f"stretched pictures: {count}, such as {stretched[0]}; --crop cuts them instead")
    assert first is not None
    return conversion.shape(first[1], first[0])


def _decode(path: Path, conversion: Conversion) -> npt.NDArray[np.uint8]:
    """The pixels of a picture after the conversion, (H, W, C)."""
    with _opened(path, conversion) as image:
        return picture_of(image, conversion)


def picture_of(image: Image.Image, conversion: Conversion) -> npt.NDArray[np.uint8]:
    """The pixels of an opened picture after the conversion, (H, W, C)."""
    upright = ImageOps.exif_transpose(image)
    upright = _on_white(upright) if conversion.matte else upright.convert("RGB")
    if conversion.resize is not None:
        size = conversion.resize[1], conversion.resize[0]
        scale = ImageOps.fit if conversion.crop else Image.Image.resize
        upright = scale(upright, size, Image.Resampling.BICUBIC)
    pixels = np.asarray(upright.convert("L") if conversion.grey else upright)
    return pixels[..., None] if conversion.grey else pixels


def _on_white(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


@contextmanager
def _opened(path: Path, conversion: Conversion) -> Iterator[Image.Image]:
    """A picture whose header has been checked. Raises DataError, also for what goes wrong in the context."""
    try:
        with open_regular(path, FILE_BYTES) as file, Image.open(file, formats=tuple(FORMATS)) as image:
            _check_header(path, image, conversion)
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(
            f"{path} is too large", "scale it down first", reason=f"a picture may have up to {PIXELS_LIMIT:,} pixels"
        ) from error
    except (OSError, *_DAMAGE) as error:
        reason = reason_of(error)
        if isinstance(error, UnidentifiedImageError):
            reason = f"its content is none of {', '.join(FORMATS)}" if path.stat().st_size else "the file is empty"
        raise DataError(
            f"{path} can't be read as a picture",
            "replace the file with an undamaged one",
            reason=reason,
        ) from error


def _check_header(path: Path, image: Image.Image, conversion: Conversion) -> None:
    size = f"{image.width}x{image.height} pixels"
    if conversion.resize is None and max(image.size) > SIDE_LIMIT:
        raise DataError(
            f"{path} is {size}",
            "scale it down: --resize 32, or --resize WIDTHxHEIGHT",
            reason=f"pictures may have up to {SIDE_LIMIT} pixels per side",
        )
    if image.width * image.height > PIXELS_LIMIT:
        raise DataError(
            f"{path} is {size}", "scale it down first", reason=f"a picture may have up to {PIXELS_LIMIT:,} pixels"
        )
    if image.mode not in _MODES or _has_more_bits(image):
        raise DataError(
            f"{path} is {size} of mode {image.mode}{', with 16 bits' if _has_more_bits(image) else ''}",
            "convert it to 8 bits per channel, grey or RGB",
            reason="pictures are grey or RGB, with 8 bits per channel; converting others would change them silently",
        )
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:  # MPO: a JPEG, with previews behind it
        raise DataError(
            f"{path} has {getattr(image, 'n_frames', 1)} frames",
            "save one of them as a picture of its own",
            reason="a picture of a dataset is a single one, and no frame is left out silently",
        )


def _has_more_bits(image: Image.Image) -> bool:
    """Whether the file has more than 8 bits per channel, which Pillow drops for RGB: `RGB;16B`, ("RGB", 65535)."""
    tiles = getattr(image, "tile", [])  # of any picture that comes from a file
    values = [one for tile in tiles for one in (tile.args if isinstance(tile.args, tuple) else (tile.args,))]
    is_raw = any(isinstance(one, str) and ";16" in one for one in values)
    return is_raw or (image.format == "PPM" and any(isinstance(one, int) and one > 255 for one in values))
