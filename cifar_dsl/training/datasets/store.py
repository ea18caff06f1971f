"""Datasets as .npz files, and the canonical order of pictures."""

import fcntl
import glob
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from cifar_dsl.foundation.atomic import check_writable, is_full
from cifar_dsl.foundation.errors import DataError
from cifar_dsl.foundation.folders import make_folder
from cifar_dsl.foundation.reading import open_regular
from cifar_dsl.foundation.text import in_short, reason_of
from cifar_dsl.training.datasets.advice import FROM_ONE, object_fault
from cifar_dsl.training.datasets.dataset import Dataset

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_LABELS = ("y_train", "y_test")
_TEXTS = ("classes", "origin", "sha256")
_ELSEWHERE = "choose another folder with --data-dir or CIFAR_DSL_DATA"
_TEXT_CHARACTERS = 1000  # in `origin` and `sha256`
_LOCAL_HEADER_BYTES = 30  # of a file in a zip archive
_HEADER_CHARACTERS = 1000  # the header of an array of numbers or text has 118
_INFLATED_BYTES = 10**9  # any file may inflate to this, and photographs are at most halved by compression
_INFLATION = 10  # larger arrays may be this many times as large as their file
_LABEL_BYTES = 8  # of a label in memory, whatever its type in the file
_CLASSES_LIMIT = 1_000_000  # larger labels are damage; generating a name per class would fill the memory
_LARGEST_LABEL = np.iinfo(np.int64).max
_NAMES_BYTES = 40_000_000  # of all names of classes, in UTF-32; a record of a run holds them
_LAST_CHARACTER = 0x10FFFF

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

# Errors from reading a header, which numpy evaluates as a Python literal.
_BAD_HEADER = (
    ValueError,
    SyntaxError,
    TypeError,
    LookupError,
    RecursionError,
    MemoryError,
    tokenize.TokenError,
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


def save_npz(dataset: Dataset, path: Path, elsewhere: str = _ELSEWHERE) -> None:
    """Write the arrays, `classes`, `origin` and `sha256`, uncompressed. Replaces `path` atomically.

    `elsewhere` says how to choose another path.

    Raises:
        DataError: The file can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        make_folder(path.parent)
        _remove_abandoned(path)
        try:
            temporary.unlink(missing_ok=True)
            with temporary.open("xb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                np.savez(
                    file,
                    **{name: getattr(dataset, name) for name in _ARRAYS},
                    classes=np.array(dataset.classes),
                    origin=np.array(dataset.origin),
                    sha256=np.array(dataset.digest),
                )
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error, elsewhere) from error


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote `path`; a live one has it locked."""
    for other in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError), open_regular(other) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            other.unlink()


def check_place(path: Path, elsewhere: str = _ELSEWHERE) -> None:
    """Raise DataError if a file at `path` could not be written, before the work that fills it; see `save_npz`."""
    try:
        check_writable(path.parent)
    except OSError as error:
        raise _unwritable(path, error, elsewhere) from error


def _unwritable(path: Path, error: OSError, elsewhere: str) -> DataError:
    remedy = "free some space, or " if is_full(error) else ""
    return DataError(f"cannot write {path}", f"{remedy}{elsewhere}", reason=reason_of(error))


def load_npz(path: Path, *, name: str = "npz", is_replaced_whole: bool = False) -> Dataset:
    """Read x_train and x_test, (N, H, W, C) uint8, y_train and y_test, (N,) integers, and optional texts.

    `classes` holds the names of the classes; the default is "0", "1", ... up to the largest label. `origin` describes
    the source of the pictures; the default is the file's name. `sha256` is the digest of the arrays. Other arrays are
    ignored.

    Pictures of a file that nobody writes in place, but that is always replaced as a whole, as `save_npz` does, are
    mapped: all processes share one copy in memory. A file that shrinks would kill a process that has it mapped.

    Raises:
        DataError: The file doesn't exist or is damaged, or its arrays aren't a dataset.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = _members(path, archive)
            _check_size(path, os.fstat(file.fileno()).st_size, members)
            mapped = file if is_replaced_whole else None
            arrays = {key: _read(path, archive, key, info, mapped) for key, info in members.items()}
    except OSError as error:
        raise DataError(
            f"cannot read {path}", "give the path of a readable .npz file", reason=reason_of(error)
        ) from error
    except _DAMAGE as error:
        raise _damaged(path, reason_of(error)) from error
    y_train, y_test = (_as_labels(path, arrays[key]) for key in _LABELS)
    dataset = Dataset(
        name=name,
        x_train=arrays["x_train"],
        y_train=y_train,
        x_test=arrays["x_test"],
        y_test=y_test,
        classes=_names(path, arrays["classes"]) if "classes" in arrays else _numbers(path, y_train, y_test),
        origin=_text(arrays.get("origin")) or path.name,
        path=path.absolute(),
    )
    if _text(arrays.get("sha256")) not in {"", dataset.digest}:
        reason = "the arrays don't have the digest that is stored beside them, as `sha256`"
        raise _damaged(path, reason, "if you changed the arrays on purpose, store them without `sha256`")
    return dataset


def _damaged(path: Path, reason: str, *more_help: str) -> DataError:
    return DataError(
        f"{path} is damaged, or not an .npz file",
        f"delete {path}, then download, import or write it again",
        *more_help,
        reason=reason,
    )


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members that hold the arrays of a dataset, by name. Raises DataError if one is missing or there twice."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        key = info.filename.removesuffix(".npy")
        if key == info.filename:
            continue
        if key in members and key in (*_ARRAYS, *_TEXTS):
            raise DataError(
                f"{path} contains {key} twice",
                "write the file again with numpy.savez, once and for all arrays",
                reason="other programs may read the other one",
            )
        members[key] = info
    missing = [key for key in _ARRAYS if key not in members]
    if missing:
        raise DataError(
            f"{path} is missing {', '.join(missing)}",
            f"write it with numpy.savez(path, {', '.join(f'{key}=...' for key in _ARRAYS)})",
            reason=f"it contains {', '.join(sorted(members)) or 'no arrays'}",
        )
    return {key: members[key] for key in (*_ARRAYS, *_TEXTS) if key in members}


def _check_size(path: Path, size: int, members: dict[str, zipfile.ZipInfo]) -> None:
    """Raise DataError if the arrays would inflate to much more than the file's size.

    zipfile reads no more of a member than its declared size.
    """
    inflated = sum(info.file_size * (_LABEL_BYTES if key in _LABELS else 1) for key, info in members.items())
    if inflated > max(_INFLATED_BYTES, _INFLATION * size):
        raise DataError(
            f"the arrays of {path} inflate from {in_short(size, 'B')} to {in_short(inflated, 'B')}",
            "if the file is your own, write it with numpy.savez, which doesn't compress",
            reason=f"over {in_short(_INFLATED_BYTES, 'B')}, arrays may be {_INFLATION} times as large as their file",
        )


def _read(
    path: Path, archive: zipfile.ZipFile, key: str, info: zipfile.ZipInfo, mapped: IO[bytes] | None
) -> npt.NDArray[Any]:
    """An array of an archive. Pictures are mapped from the file `mapped`, if they aren't compressed."""
    with archive.open(info) as member:
        shape, dtype, is_transposed = _read_header(member)
        if dtype.hasobject:
            fault = object_fault(key)
            raise DataError(f"{key} of {path} {fault.problem}", fault.help, reason=fault.reason)
        header_bytes = member.tell()
        if math.prod(shape) * dtype.itemsize != info.file_size - header_bytes:  # before memory is allocated
            raise ValueError(f"{key} is longer or shorter than its shape requires")
        member.seek(0)
        is_stored = info.compress_type == zipfile.ZIP_STORED and not is_transposed
        if mapped is not None and is_stored and dtype == np.uint8 and info.file_size > header_bytes:
            return _mapped(mapped, key, info, member.read(header_bytes), shape)
        array: npt.NDArray[Any] = np.lib.format.read_array(
            member, allow_pickle=False, max_header_size=_HEADER_CHARACTERS
        )
        if member.read(1):  # reads to the end, where the checksum is compared
            raise ValueError(f"{key} is longer than its shape requires")
        if dtype.kind == "U" and _characters(array).max(initial=0) > _LAST_CHARACTER:
            raise ValueError(f"{key} holds what is no text")
        return array


def _mapped(
    file: IO[bytes], key: str, info: zipfile.ZipInfo, header: bytes, shape: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    """The bytes that follow the array's `header` in the file, mapped; what is written to them stays in this process."""
    file.seek(info.header_offset)
    local = file.read(_LOCAL_HEADER_BYTES)  # of the archive; two lengths end it, and a name and other fields follow
    start = info.header_offset + len(local) + sum(struct.unpack("<HH", local[-4:]))
    array = np.memmap(file, np.uint8, "c", start + len(header), shape)
    if zlib.crc32(array.data, zlib.crc32(header)) != info.CRC:
        raise ValueError(f"{key} has a wrong checksum")
    return array.view(np.ndarray)


def _characters(texts: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """The code points of an array of texts, zeros included: (size * length,)."""
    native = np.ascontiguousarray(texts, texts.dtype.newbyteorder("="))
    return native.reshape(-1).view(np.uint32)


def _read_header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """Shape and type in the header of an array, and whether its first axis is the innermost.

    Raises ValueError, whatever is wrong with it.
    """
    version = np.lib.format.read_magic(member)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, is_transposed, dtype = read(member, max_header_size=_HEADER_CHARACTERS)
    except _BAD_HEADER as error:  # numpy's text suggests allow_pickle, which would run what the file holds
        raise ValueError("the header of an array is not one that numpy writes") from error
    if min(shape, default=0) < 0:
        raise ValueError("a header has a negative extent")
    if dtype.itemsize == 0:  # any number of such items takes no byte of the file
        raise ValueError("the items of an array take no bytes")
    return shape, dtype, is_transposed


def _text(array: npt.NDArray[Any] | None) -> str:
    """The text in an array without axes; empty if there is none, or it isn't a short one."""
    if array is None or array.ndim or array.dtype.kind != "U" or array.dtype.itemsize > 4 * _TEXT_CHARACTERS:
        return ""
    return str(array)


def _as_labels(path: Path, labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The labels as int64. Raises DataError for one that is larger."""
    if labels.dtype.kind == "u" and labels.size and (largest := int(labels.max())) > _LARGEST_LABEL:
        raise _large_label(path, largest)
    # Other types stay unchanged: `Dataset` reports them.
    return labels.astype(np.int64) if labels.dtype.kind in "iu" else labels


def _names(path: Path, classes: npt.NDArray[Any]) -> tuple[str, ...]:
    if classes.ndim != 1 or classes.dtype.kind != "U":
        raise DataError(
            f"classes of {path} is {classes.dtype} {classes.shape}, not text (n)",
            "store the names as numpy.array([...]), or omit the array",
            reason="it must hold the name of each class, in the order of the labels",
        )
    if len(classes) > _CLASSES_LIMIT or classes.nbytes > _NAMES_BYTES:
        raise DataError(
            f"classes of {path} is {len(classes):,} names of up to {classes.dtype.itemsize // 4:,} characters",
            "shorten the names, or omit the array",
            reason=f"at most {_CLASSES_LIMIT:,} classes are allowed, with {in_short(_NAMES_BYTES, 'B')} of names",
        )
    names = tuple(classes.tolist())
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise DataError(
            f"classes of {path} contains {twice!r} twice",
            "give each class a name of its own",
            reason="a confusion matrix or a report could not tell them apart",
        )
    return names


def _large_label(path: Path, label: int) -> DataError:
    return DataError(
        f"{path} has the label {label}",
        "number the classes 0, 1, 2, ...",
        reason=f"labels count classes from 0, and at most {_CLASSES_LIMIT:,} classes are allowed",
    )


def _numbers(path: Path, y_train: npt.NDArray[np.int64], y_test: npt.NDArray[np.int64]) -> tuple[str, ...]:
    """The names "0", "1", ... of the classes of labels that count from 0. Raises DataError."""
    labels = [labels for labels in (y_train, y_test) if labels.dtype == np.int64 and labels.ndim == 1 and len(labels)]
    largest = max((int(each.max()) for each in labels), default=0)
    least = min((int(each.min()) for each in labels), default=0)
    if largest >= _CLASSES_LIMIT:
        raise _large_label(path, largest)
    if least > 0:
        renumbered = (
            "write `labels = numpy.unique(y_train)` and "
            "`y_train, y_test = (numpy.searchsorted(labels, y) for y in (y_train, y_test))`"
        )
        raise DataError(
            f"the labels of {path} range from {least} to {largest}, so no image has the label 0",
            FROM_ONE if least == 1 else renumbered,
            "or name every class in `classes`, if the first ones have no images",
            reason=f"labels count from 0; the network would need {largest + 1} outputs",
        )
    return tuple(str(label) for label in range(largest + 1))
