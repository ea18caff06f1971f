"""Data sets as .npz files, and the order in which a published set is kept."""

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.training.datasets.dataset import Dataset

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_CLASSES_LIMIT = 1_000_000  # a label beyond it is damage; a name for each class would fill the memory

# What reading a damaged archive or array raises, besides OSError.
_DAMAGE = (
    zipfile.BadZipFile,  # no zip, or a checksum that doesn't match
    zlib.error,
    EOFError,
    ValueError,  # numpy: no array, or one that holds pickled objects
    RuntimeError,  # zipfile: encrypted, or an unknown kind of compression
    MemoryError,
    OverflowError,
)


def canonical_order(
    images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Pictures (N, ...) and labels (N,) sorted by label, then by the bytes of the picture.

    Training shuffles from this order, so the same pictures train the same way whether they were downloaded
    or imported from files whose names sort differently.
    """
    keys = [(label, image.tobytes()) for label, image in zip(labels.tolist(), images, strict=True)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return images[order], labels[order]


def save_npz(dataset: Dataset, path: Path) -> None:
    """Writes the arrays, `classes` and `origin`, uncompressed; `path` is replaced at once or left alone.

    Raises:
        DataError: The file can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                np.savez(
                    file,
                    **{name: getattr(dataset, name) for name in _ARRAYS},
                    classes=np.array(dataset.classes),
                    origin=np.array(dataset.origin),
                )
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot write {path}",
            "free some space, or choose another folder with --data-dir or CIFAR_DSL_DATA",
            reason=str(error),
        ) from error


def load_npz(path: Path, *, name: str = "npz") -> Dataset:
    """Reads x_train and x_test, uint8 (N, H, W, C), y_train and y_test, integers (N,), and optional names.

    `classes` holds the names of the classes, else they are called "0", "1", ... up to the largest label;
    `origin` says where the pictures came from, else it is the path. Other arrays are ignored.

    Raises:
        DataError: There is no such file, it is damaged, or its arrays make no data set.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
            missing = [key for key in _ARRAYS if key not in found]
            if missing:
                raise DataError(
                    f"{path} lacks {', '.join(missing)}",
                    f"write it with numpy.savez(path, {', '.join(f'{key}=...' for key in _ARRAYS)})",
                    reason=f"it holds {', '.join(sorted(found)) or 'no arrays'}",
                )
            arrays = {key: _read(archive, key) for key in (*_ARRAYS, "classes", "origin") if key in found}
    except OSError as error:
        raise DataError(f"cannot read {path}", "give the path of a readable .npz file", reason=str(error)) from error
    except _DAMAGE as error:
        raise DataError(
            f"{path} is damaged, or no .npz file",
            f"delete {path} and make it again: download, import or write it anew",
            reason=str(error),
        ) from error
    y_train, y_test = (_as_labels(arrays[key]) for key in ("y_train", "y_test"))
    return Dataset(
        name=name,
        x_train=arrays["x_train"],
        y_train=y_train,
        x_test=arrays["x_test"],
        y_test=y_test,
        classes=_names(path, arrays["classes"]) if "classes" in arrays else _numbers(path, y_train, y_test),
        origin=str(arrays.get("origin", path)),
        path=path.absolute(),
    )


def _read(archive: zipfile.ZipFile, key: str) -> npt.NDArray[Any]:
    with archive.open(f"{key}.npy") as member:
        array: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1):
            raise ValueError(f"{key} is longer than its shape says")
        return array


def _as_labels(labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    # Labels that are no integers stay as they are: `Dataset` says what is wrong with them.
    return labels.astype(np.int64) if np.issubdtype(labels.dtype, np.integer) else labels


def _names(path: Path, classes: npt.NDArray[Any]) -> tuple[str, ...]:
    if classes.ndim != 1 or classes.dtype.kind != "U":
        raise DataError(
            f"classes of {path} is {classes.dtype} {classes.shape}, not text (n)",
            "store it as numpy.array([...]) of the names, or leave it out",
            reason="it holds the name of each class, in the order of the labels",
        )
    return tuple(classes.tolist())


def _numbers(path: Path, y_train: npt.NDArray[np.int64], y_test: npt.NDArray[np.int64]) -> tuple[str, ...]:
    integers = (labels for labels in (y_train, y_test) if labels.dtype == np.int64)
    largest = max((int(labels.max(initial=0)) for labels in integers), default=0)
    if largest >= _CLASSES_LIMIT:
        raise DataError(
            f"{path} holds the label {largest}",
            "number the classes 0, 1, 2, ...",
            reason=f"labels count the classes from 0, and there can be {_CLASSES_LIMIT:,} classes at most",
        )
    return tuple(str(label) for label in range(largest + 1))
