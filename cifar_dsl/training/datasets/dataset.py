"""`Dataset`: the pictures and labels for training and testing, and their validation."""

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cifar_dsl.compiler import DataShape
from cifar_dsl.foundation.errors import DataError
from cifar_dsl.foundation.records import evolve, field, frozen
from cifar_dsl.ir import Shape
from cifar_dsl.ir.recipe import tests_of_subset
from cifar_dsl.training.datasets.advice import FROM_ONE, kind_of, label_fault, picture_fault
from cifar_dsl.training.datasets.shares import share

_CLASSES_SHOWN = 5  # in a note


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
    origin: str  # the source of the pictures, for people: a report shows it, so it holds no folder
    path: Path | None = None  # the file of the arrays
    of_train_images: int | None = None  # the training images of the dataset that this is a part of

    def __attrs_post_init__(self) -> None:
        _check_split(self, "train", self.x_train, self.y_train)
        _check_split(self, "test", self.x_test, self.y_test)
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise DataError(
                f"dataset '{self.name}' ({self.origin}) has pictures of two sizes",
                "store both splits with the same height, width and channels",
                reason=f"x_train is {kind_of(self.x_train)} and x_test is {kind_of(self.x_test)}",
            )

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the types, shapes and bytes of the four arrays."""
        digest = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            digest.update(kind_of(array).encode())
            digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data)
        return digest.hexdigest()

    def part(self, count: int) -> "Dataset":
        """The part with `count` training images, an equal share of each class: the same for every seed.

        The whole dataset for 0. Raises DataError if the part is as large.
        """
        train, test = len(self.y_train), len(self.y_test)
        if not count:
            return self
        if count >= train:
            raise DataError(
                f"a subset of {count:,} images can't be taken from the {train:,} training images of {self.name}",
                "choose fewer; to use them all, leave out --fast or `subset`",
            )
        trained = share(self.y_train, count, "subset")
        tested = share(self.y_test, tests_of_subset(count, train, test), "subset")
        return evolve(
            self,
            x_train=self.x_train[trained],
            y_train=self.y_train[trained],
            x_test=self.x_test[tested],
            y_test=self.y_test[tested],
            of_train_images=train,
        )

    @property
    def title(self) -> str:
        """Its name for people, which says if it is a part: `cifar10 (2,000 of 50,000 images)`."""
        part = f" ({len(self.y_train):,} of {self.of_train_images:,} images)" if self.of_train_images else ""
        return f"{self.name}{part}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What is valid, but probably not intended: classes without images, pictures that are almost black."""
        dark = [name for name in ("x_train", "x_test") if getattr(self, name).max() <= 1]
        of_bytes = (
            f"no byte of {name} exceeds 1, so all its pictures look black; if they were fractions, store "
            f"`(255 * {name}).round().astype(numpy.uint8)` of the fractions"
            for name in dark
        )
        return (*of_bytes, *_class_notes(self))

    def report_notes(self, warn: Callable[[str], None]) -> None:
        """Pass each note to `warn`, with the name of the dataset."""
        for text in self.notes:
            warn(f"dataset {self.name} ({self.origin}): {text}")

    @property
    def is_mapped(self) -> bool:
        """Whether the training pictures are mapped from their file, so that all processes share their memory."""
        return isinstance(self.x_train.base, np.memmap)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of every picture."""
        _, height, width, channels = self.x_train.shape
        return channels, height, width

    @property
    def data_shape(self) -> DataShape:
        """The facts that a spec is checked against."""
        return DataShape(self.name, Shape(self.image_shape), len(self.classes), len(self.y_train))


def _check_split(dataset: Dataset, split: str, images: npt.NDArray[Any], labels: npt.NDArray[Any]) -> None:
    x, y = f"x_{split}", f"y_{split}"
    where = f"of dataset '{dataset.name}' ({dataset.path or dataset.origin})"
    for name, fault in ((x, picture_fault(x, images)), (y, label_fault(y, labels))):
        if fault:
            raise DataError(f"{name} {where} {fault.problem}", fault.help, reason=fault.reason)
    if len(images) != len(labels):
        raise DataError(
            f"{y} {where} has {len(labels):,} labels for {len(images):,} pictures",
            f"store one label per picture in the {split} split",
            reason="each picture needs a label",
        )
    if not len(images):
        raise DataError(
            f"{x} {where} is empty",
            f"add at least one picture to the {split} split",
            reason="training and testing need pictures",
        )
    if labels.min() < 0 or labels.max() >= len(dataset.classes):
        wrong = int(np.argmax((labels < 0) | (labels >= len(dataset.classes))))
        counts_from_one = labels.min() == 1 and labels.max() == len(dataset.classes)
        raise DataError(
            f"{y} {where} has the label {labels[wrong]} at index {wrong}",
            FROM_ONE if counts_from_one else "correct the label, or name every class in `classes`",
            reason=f"there are {len(dataset.classes)} classes, so labels range from 0 to {len(dataset.classes) - 1}",
        )


def _class_notes(dataset: Dataset) -> Iterator[str]:
    """A note for the classes without training images, and one for those without test images."""
    n = len(dataset.classes)
    in_train, in_test = (np.bincount(labels, minlength=n) for labels in (dataset.y_train, dataset.y_test))
    for counts, other, split, effect in (
        (in_train, in_test, "training", "the network can't learn them"),
        (in_test, in_train, "test", "the accuracy leaves them out"),
    ):
        absent = np.flatnonzero(counts == 0)
        if len(absent):
            shown = ", ".join(dataset.classes[label] for label in absent[:_CLASSES_SHOWN])
            more = ", ..." if len(absent) > _CLASSES_SHOWN else ""
            elsewhere = int(other[absent].sum())
            only = f" ({elsewhere:,} in the other split)" if elsewhere else ""
            yield f"{len(absent)} of {n} classes have no {split} images{only}, so {effect}: {shown}{more}"
