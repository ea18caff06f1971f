"""What a run's network said of every test image, kept beside the run as `predictions.npz`.

    labels              (N,) uint8 or uint16        the class that each image has, in the data set's order
    predicted           (N,) uint8 or uint16        the class that the network gave it
    truth_probability   (N,) float16                how probable the network found the right class
    classes             (K,) text                   the names of the classes

All of CIFAR-10's test images take about 25 kB. `numpy.load` reads the file anywhere.
"""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.records import frozen

_LARGEST = 1 << 28  # bytes of an array, as the file itself says; nobody's test set is larger
_ARRAYS = ("labels", "predicted", "truth_probability", "classes")
# What zipfile and numpy raise over a file that isn't whole; RuntimeError for a flag that claims a password.
_DAMAGE = (
    *(ValueError, KeyError, TypeError, OSError, EOFError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)

Integers = npt.NDArray[np.integer]


@frozen(eq=False)
class Predictions:
    """One network's answers on the test images, in the data set's order."""

    labels: Integers  # (N,)
    predicted: Integers  # (N,)
    truth_probability: npt.NDArray[np.floating]  # (N,)
    classes: tuple[str, ...]

    @property
    def is_right(self) -> npt.NDArray[np.bool_]:
        """Where the answer is the label: (N,)."""
        right: npt.NDArray[np.bool_] = self.predicted == self.labels
        return right


def write_predictions(
    path: Path,
    *,
    labels: npt.ArrayLike,
    predicted: npt.ArrayLike,
    truth_probability: npt.ArrayLike,
    classes: Sequence[str],
) -> None:
    """Write the file whole or not at all; the same answers are the same bytes. All arrays are (N,).

    Raises:
        ValueError: The arrays differ in length, or a class has no name.
    """
    small = np.uint8 if len(classes) <= 256 else np.uint16
    found = Predictions(
        _classes_of(labels, len(classes), small),
        _classes_of(predicted, len(classes), small),
        np.asarray(truth_probability, np.float16),
        tuple(classes),
    )
    _check(found)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        labels=found.labels,
        predicted=found.predicted,
        truth_probability=found.truth_probability,
        classes=np.array(found.classes, np.str_),
    )
    write_atomically(path, buffer.getvalue())


def read_predictions(path: Path) -> Predictions | None:
    """What `write_predictions` wrote; None where there is no file. Raises RunError where it is damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if any(member.file_size > _LARGEST for member in archive.infolist()):
                raise ValueError("too large")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            members = [arrays[name] for name in _ARRAYS]
        if not all(isinstance(member, np.ndarray) for member in members):
            raise ValueError("no arrays")
        labels, predicted, probability, classes = members
        found = Predictions(labels, predicted, probability, tuple(map(str, classes)))
        _check(found)
    except _DAMAGE as error:
        raise RunError(f"{path} is damaged", "delete it, or train the spec again", reason=str(error)) from error
    return found


def _classes_of(values: npt.ArrayLike, count: int, dtype: type[np.unsignedinteger]) -> Integers:
    array = np.asarray(values)
    if array.size and not 0 <= array.min() <= array.max() < count:
        raise ValueError(f"classes from {array.min()} to {array.max()}, but there are {count}")
    return array.astype(dtype)


def _check(found: Predictions) -> None:
    shape = found.labels.shape
    if len(shape) != 1 or found.predicted.shape != shape or found.truth_probability.shape != shape:
        raise ValueError("the arrays differ in length")
    for array in (found.labels, found.predicted):
        if array.dtype.kind != "u" or (array.size and int(array.max()) >= len(found.classes)):
            raise ValueError("a class has no name")
    if found.truth_probability.dtype.kind != "f":
        raise ValueError("probabilities that are no numbers")
