"""Datasets as .npz files, and the canonical order of pictures."""

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
_CLASSES_LIMIT = 1_000_000  # larger labels are damage; generating a name per class would fill the memory

# Errors from reading a damaged archive or array, besides OSError.
_DAMAGE = (
    zipfile.BadZipFile,  # not a zip file, or a wrong checksum
    zlib.error,
    EOFError,
    ValueError,  # numpy: not an array, or one of pickled objects
    RuntimeError,  # zipfile: encrypted, or an unknown kind of compression
    MemoryError,
    OverflowError,
)


def canonical_order(
    images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Pictures (N, ...) and labels (N,) sorted by label, then by the bytes of the picture.

    Training shuffles from this order, so the result doesn't depend on whether the pictures were downloaded or imported
    from files with other names.
    """
    keys = [(label, image.tobytes()) for label, image in zip(labels.tolist(), images, strict=True)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return images[order], labels[order]


def save_npz(dataset: Dataset, path: Path) -> None:
    """Write the arrays, `classes` and `origin`, uncompressed. Replaces `path` atomically.

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
    """Read x_train and x_test, (N, H, W, C) uint8, y_train and y_test, (N,) integers, and optional texts.

    `classes` holds the names of the classes; the default is "0", "1", ... up to the largest label. `origin` describes
    the source of the pictures; the default is the path. Other arrays are ignored.

    Raises:
        DataError: The file doesn't exist or is damaged, or its arrays aren't a dataset.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            present = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
            missing = [key for key in _ARRAYS if key not in present]
            if missing:
                raise DataError(
                    f"{path} is missing {', '.join(missing)}",
                    f"write it with numpy.savez(path, {', '.join(f'{key}=...' for key in _ARRAYS)})",
                    reason=f"it contains {', '.join(sorted(present)) or 'no arrays'}",
                )
            arrays = {key: _read(archive, key) for key in (*_ARRAYS, "classes", "origin") if key in present}
    except OSError as error:
        raise DataError(f"cannot read {path}", "give the path of a readable .npz file", reason=str(error)) from error
    except _DAMAGE as error:
        raise DataError(
            f"{path} is damaged, or not an .npz file",
            f"delete {path}, then download, import or write it again",
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
            raise ValueError(f"{key} is longer than its shape requires")
        return array


def _as_labels(labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    # Other types stay unchanged: `Dataset` reports them.
    return labels.astype(np.int64) if np.issubdtype(labels.dtype, np.integer) else labels


def _names(path: Path, classes: npt.NDArray[Any]) -> tuple[str, ...]:
    if classes.ndim != 1 or classes.dtype.kind != "U":
        raise DataError(
            f"classes of {path} is {classes.dtype} {classes.shape}, not text (n)",
            "store the names as numpy.array([...]), or omit the array",
            reason="it must hold the name of each class, in the order of the labels",
        )
    return tuple(classes.tolist())


def _numbers(path: Path, y_train: npt.NDArray[np.int64], y_test: npt.NDArray[np.int64]) -> tuple[str, ...]:
    integers = (labels for labels in (y_train, y_test) if labels.dtype == np.int64)
    largest = max((int(labels.max(initial=0)) for labels in integers), default=0)
    if largest >= _CLASSES_LIMIT:
        raise DataError(
            f"{path} has the label {largest}",
            "number the classes 0, 1, 2, ...",
            reason=f"labels count classes from 0, and at most {_CLASSES_LIMIT:,} classes are allowed",
        )
    return tuple(str(label) for label in range(largest + 1))
