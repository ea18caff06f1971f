"""A run's prediction for every test image, stored in the run as `predictions.npz`.

    labels              (N,) uint8 or uint16        the true class of each image, in the dataset's order
    predicted           (N,) uint8 or uint16        the predicted class
    truth_probability   (N,) float16                the predicted probability of the true class
    classes             (K,) text                   the names of the classes

For CIFAR-10, the file takes about 25 kB. `numpy.load` reads it.
"""

import io
import math
import zipfile
import zlib
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.extras import required
from cifar_dsl.foundation.reading import read_regular
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs.file_errors import damaged, unreadable

_LARGEST = 1 << 28  # bytes of the file, and of an array by the file's header; no test split is larger
_ARRAYS = ("labels", "predicted", "truth_probability", "classes")
# Errors of zipfile and numpy for a damaged file; RuntimeError: a flag claims a password.
_DAMAGE = (
    *(ValueError, KeyError, TypeError, OSError, EOFError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)

Integers = npt.NDArray[np.integer]


@frozen(eq=False, repr=False)
class Confusion:
    """How often images of each class are predicted as each class: row i, column j of `counts` is i predicted as j."""

    classes: tuple[str, ...]
    counts: npt.NDArray[np.int64]  # (K, K)

    @classmethod
    def of(cls, labels: Integers, predicted: Integers, classes: Sequence[str]) -> "Confusion":
        """The confusion matrix of predictions (..., N) for images with labels (N,), added up."""
        count = len(classes)
        cells = labels.astype(np.int64) * count + predicted
        counts = np.bincount(cells.ravel(), minlength=count * count).reshape(count, count)
        return cls(tuple(classes), counts.astype(np.int64))

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """The counts as shares of the images of their row's class, (K, K); zeros for a class without images."""
        shares: npt.NDArray[np.float64] = self.counts / np.maximum(1, self.counts.sum(axis=1, keepdims=True))
        return shares

    @property
    def images(self) -> tuple[int, ...]:
        """The number of images of each class."""
        return tuple(map(int, self.counts.sum(axis=1)))

    @property
    def accuracies(self) -> tuple[float | None, ...]:
        """The share of each class's images that are predicted correctly; None for a class without images."""
        correct = map(float, self.shares.diagonal())
        return tuple(share if images else None for share, images in zip(correct, self.images, strict=True))

    def to_dataframe(self) -> Any:
        """The counts as a `pandas.DataFrame`. Raises UserError without pandas."""
        pandas = required("pandas", "to_dataframe()", "notebook")
        index, columns = (pandas.Index(self.classes, name=name) for name in ("class", "predicted"))
        return pandas.DataFrame(self.counts, index=index, columns=columns)

    def __repr__(self) -> str:
        return f"<Confusion of {len(self.classes)} classes, {int(self.counts.sum()):,} predictions>"

    def _repr_html_(self) -> str:
        """A table for notebooks, the darker the larger the share."""
        heads = "".join(f"<th>{escape(name)}</th>" for name in self.classes)
        rows = []
        for name, counts, shares in zip(self.classes, self.counts, self.shares, strict=True):
            cells = "".join(
                f'<td style="text-align: right; background: rgb(64 128 255 / {share:.2f})">{number:,}</td>'
                for number, share in zip(counts, shares, strict=True)
            )
            rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
        caption = "<caption>rows: true class; columns: predicted class</caption>"
        return f"<table>{caption}<tr><th></th>{heads}</tr>{''.join(rows)}</table>"


@frozen(eq=False)
class Predictions:
    """One network's predictions for the test images, in the dataset's order."""

    labels: Integers  # (N,)
    predicted: Integers  # (N,)
    truth_probability: npt.NDArray[np.floating]  # (N,)
    classes: tuple[str, ...]

    @property
    def is_correct(self) -> npt.NDArray[np.bool_]:
        """Whether each prediction is correct: (N,)."""
        correct: npt.NDArray[np.bool_] = self.predicted == self.labels
        return correct

    def confusion(self) -> Confusion:
        """The confusion matrix."""
        return Confusion.of(self.labels, self.predicted, self.classes)


def write_predictions(
    path: Path,
    *,
    labels: npt.ArrayLike,
    predicted: npt.ArrayLike,
    truth_probability: npt.ArrayLike,
    classes: Sequence[str],
) -> None:
    """Write the file atomically. Equal predictions give equal bytes. All arrays are (N,).

    Raises:
        ValueError: The arrays differ in length, or a class has no name.
    """
    dtype = np.uint8 if len(classes) <= 256 else np.uint16
    predictions = Predictions(
        _as_classes(labels, len(classes), dtype),
        _as_classes(predicted, len(classes), dtype),
        np.asarray(truth_probability, np.float16),
        tuple(classes),
    )
    _check(predictions)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        labels=predictions.labels,
        predicted=predictions.predicted,
        truth_probability=predictions.truth_probability,
        classes=np.array(predictions.classes, np.str_),
    )
    write_atomically(path, buffer.getvalue())


def read_predictions(path: Path) -> Predictions | None:
    """Read the file; None if there is none. Raises RunError if it is damaged."""
    try:
        content = read_regular(path, _LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from error
    return predictions_of(content, path)


def predictions_of(content: bytes, path: Path) -> Predictions:
    """The predictions in a file with this content. Raises RunError, which names `path`."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if any(member.file_size > _LARGEST for member in archive.infolist()):
                raise ValueError("too large")
            members = [_array(archive.read(f"{name}.npy")) for name in _ARRAYS]
        labels, predicted, probability, classes = members
        predictions = Predictions(labels, predicted, probability, tuple(map(str, classes)))
        _check(predictions)
    except _DAMAGE as error:
        raise damaged(path) from error
    return predictions


def _array(content: bytes) -> npt.NDArray[Any]:
    """The array of a member in the format of `numpy.save`. Raises ValueError."""
    begin = 10 + int.from_bytes(content[8:10], "little")  # after the magic string, the version and the length
    shape, dtype = _header(content[:begin])
    return np.frombuffer(content, dtype, math.prod(shape), begin).reshape(shape)


@lru_cache(maxsize=64)  # those of the runs of a comparison are equal, and numpy takes its time for each
def _header(head: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array. Raises ValueError."""
    file = io.BytesIO(head)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("another version of the format")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if is_fortran or dtype.hasobject:
        raise ValueError("not an array of numbers or text")
    return shape, dtype


def _as_classes(values: npt.ArrayLike, count: int, dtype: type[np.unsignedinteger]) -> Integers:
    array = np.asarray(values)
    if array.size and not 0 <= array.min() <= array.max() < count:
        raise ValueError(f"classes from {array.min()} to {array.max()}, but only {count} are named")
    return array.astype(dtype)


def _check(predictions: Predictions) -> None:
    shape = predictions.labels.shape
    if len(shape) != 1 or predictions.predicted.shape != shape or predictions.truth_probability.shape != shape:
        raise ValueError("the arrays differ in length")
    for array in (predictions.labels, predictions.predicted):
        if array.dtype.kind != "u" or (array.size and int(array.max()) >= len(predictions.classes)):
            raise ValueError("a class has no name")
    if predictions.truth_probability.dtype.kind != "f":
        raise ValueError("probabilities that are no numbers")
