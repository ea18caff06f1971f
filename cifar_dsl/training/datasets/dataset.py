"""`Dataset`: the pictures and labels for training and testing, and their validation."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import field

from cifar_dsl.compiler import DataShape
from cifar_dsl.foundation.errors import DataError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Shape

CHANNELS_LIMIT = 4  # distinguishes (N, C, H, W) from (N, H, W, C)


@frozen(eq=False)
class Dataset:
    """A labeled training split and test split of pictures of the same size.

    Raises:
        DataError: An array has the wrong type or shape, a split is empty, or a label has no class.
    """

    name: str
    x_train: npt.NDArray[np.uint8] = field(repr=False)  # (N, H, W, C), 0 to 255
    y_train: npt.NDArray[np.int64] = field(repr=False)  # (N,), an index into `classes`
    x_test: npt.NDArray[np.uint8] = field(repr=False)  # (M, H, W, C)
    y_test: npt.NDArray[np.int64] = field(repr=False)  # (M,)
    classes: tuple[str, ...] = field(repr=False)
    origin: str  # the source of the pictures, for people
    path: Path | None = None  # the file of the arrays

    def __attrs_post_init__(self) -> None:
        _check_split(self, "train", self.x_train, self.y_train)
        _check_split(self, "test", self.x_test, self.y_test)
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise DataError(
                f"dataset '{self.name}' ({self.origin}) has pictures of two sizes",
                "store both splits with the same height, width and channels",
                reason=f"x_train is {_kind(self.x_train)} and x_test is {_kind(self.x_test)}",
            )

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the types, shapes and bytes of the four arrays."""
        digest = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            digest.update(_kind(array).encode())
            digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data)
        return digest.hexdigest()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of every picture."""
        _, height, width, channels = self.x_train.shape
        return channels, height, width

    @property
    def data_shape(self) -> DataShape:
        """The facts that a spec is checked against."""
        return DataShape(self.name, Shape(self.image_shape), len(self.classes), len(self.y_train))


def _kind(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype.name} ({', '.join(map(str, array.shape))})"


def _check_split(dataset: Dataset, split: str, images: npt.NDArray[Any], labels: npt.NDArray[Any]) -> None:
    where = f"{{}} of dataset '{dataset.name}' ({dataset.origin})"
    x, y = where.format(f"x_{split}"), where.format(f"y_{split}")
    if images.dtype != np.uint8:
        raise DataError(
            f"{x} is {_kind(images)}, not uint8",
            "store the pictures as numpy.uint8, before any scaling or normalization",
            reason="pictures are integers from 0 to 255; the recipe normalizes them",
        )
    if images.ndim != 4 or images.shape[3] > CHANNELS_LIMIT or 0 in images.shape[1:]:
        raise DataError(
            f"{x} is {_kind(images)}, not (N, H, W, C)",
            "move the channels last: x.transpose(0, 2, 3, 1) turns (N, C, H, W) into (N, H, W, C)",
            reason=f"the axes are picture, row, column and channel, with 1 to {CHANNELS_LIMIT} channels",
        )
    if labels.dtype != np.int64 or labels.ndim != 1:
        raise DataError(
            f"{y} is {_kind(labels)}, not integers (N)",
            "store one integer per picture; convert one-hot rows y with y.argmax(1)",
            reason="a label is the index of the picture's class, from 0",
        )
    if len(images) != len(labels):
        raise DataError(
            f"{y} has {len(labels):,} labels for {len(images):,} pictures",
            f"store one label per picture in the {split} split",
            reason="each picture needs a label",
        )
    if not len(images):
        raise DataError(
            f"{x} is empty",
            f"add at least one picture to the {split} split",
            reason="training and testing need pictures",
        )
    if labels.min() < 0 or labels.max() >= len(dataset.classes):
        wrong = int(np.argmax((labels < 0) | (labels >= len(dataset.classes))))
        raise DataError(
            f"{y} has the label {labels[wrong]} at index {wrong}",
            "correct the label, or name every class in `classes`",
            reason=f"there are {len(dataset.classes)} classes, so labels range from 0 to {len(dataset.classes) - 1}",
        )
