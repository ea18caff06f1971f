"""Tiny archives with the layout of the published CIFAR archives."""

import gzip
import hashlib
import io
import struct
import tarfile
from pathlib import Path

import attrs
import numpy as np

from cifar_dsl.training.datasets.cifar import ARCHIVES, PICKLED, Archive
from cifar_dsl.training.datasets.download import Checksum
from cifar_dsl.training.datasets.published import PublishedFile

PER_MEMBER = 4


def picture(seed: int) -> np.ndarray:
    """An image (H, W, C) of bytes that encode row, column, channel and seed."""
    row, column, channel = np.indices((32, 32, 3))
    return ((row * 7 + column * 3 + channel * 50 + seed) % 256).astype(np.uint8)


def record(archive: Archive, seed: int) -> bytes:
    label = seed % len(archive.classes)
    labels = [label] if archive.label_bytes == 1 else [(label + 7) % 20, label]  # coarse, fine
    return bytes(labels) + picture(seed).transpose(2, 0, 1).tobytes()


def members(archive: Archive) -> dict[str, bytes]:
    return {
        name: b"".join(record(archive, PER_MEMBER * i + j) for j in range(PER_MEMBER))
        for i, name in enumerate((*archive.train, *archive.test))
    }


def file(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def pack(path: Path, entries: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return path


def published(archive: Archive, path: Path, url: str) -> Archive:
    """`archive` with the URL, size and digest of the file at `path`."""
    content = path.read_bytes()
    return attrs.evolve(archive, url=url, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def _text(content: bytes) -> bytes:
    """A text as Python 2 pickles it."""
    return b"T" + struct.pack("<i", len(content)) + content


def python2_batch(rows: np.ndarray, labels: list[int], key: bytes = b"labels") -> bytes:
    """A member of a Python version, instruction by instruction as Python 2 wrote it: rows (N, 3072) uint8."""
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"".join(b"M" + struct.pack("<H", extent) for extent in rows.shape) + b"\x86"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    state = b"(K\x01" + shape + dtype + b"\x89" + _text(rows.tobytes()) + b"tb"
    numbers = b"](" + b"".join(bytes((ord("K"), label)) for label in labels) + b"e"
    names = b"](" + _text(b"a.png") * len(labels) + b"e"
    items = [b"U\x0bbatch_label" + _text(b"training batch"), b"U" + bytes([len(key)]) + key + numbers]
    items += [b"U\x04data" + array + state, b"U\tfilenames" + names]
    return b"\x80\x02}q\x01(" + b"".join(items) + b"u."


def python_members(dataset: str = "cifar10") -> dict[str, bytes]:
    """The members of the Python version that hold the pictures and labels of `members(ARCHIVES[dataset])`."""
    contents = {}
    source = PICKLED[dataset]
    for i, name in enumerate((*source.train, *source.test)):
        seeds = range(PER_MEMBER * i, PER_MEMBER * (i + 1))
        rows = np.stack([picture(seed).transpose(2, 0, 1).reshape(-1) for seed in seeds])
        contents[name] = python2_batch(rows, [seed % len(ARCHIVES[dataset].classes) for seed in seeds], source.labels)
    return contents


def idx(array: np.ndarray) -> bytes:
    """A file in the format of MNIST: an array of bytes."""
    return gzip.compress(inflated_idx(array))


def inflated_idx(array: np.ndarray) -> bytes:
    """The same file, decompressed."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def stand_in(file: PublishedFile, content: bytes, base: str = "http://127.0.0.1:1") -> PublishedFile:
    """A file with the name of a published one, and this content."""
    checksum = Checksum("md5", hashlib.md5(content).hexdigest())
    return attrs.evolve(file, url=f"{base}/{file.url.rpartition('/')[2]}", size=len(content), checksum=checksum)
