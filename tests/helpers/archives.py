"""Tiny archives with the layout of the published CIFAR archives."""

import hashlib
import io
import tarfile
from pathlib import Path

import attrs
import numpy as np

from cifar_dsl.training.datasets.cifar import Archive

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
