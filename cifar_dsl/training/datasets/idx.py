"""MNIST and Fashion-MNIST as published: four compressed IDX files; also decompressed.

LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist (which describes the format); Xiao, Rasul and Vollgraf 2017,
https://arxiv.org/abs/1708.07747. The checksums of the compressed files are those of torchvision. Several
projects publish those of the decompressed ones, and agree.
"""

import gzip
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cifar_dsl.foundation.reading import open_regular
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.training.datasets.download import Checksum
from cifar_dsl.training.datasets.published import Published, PublishedFile, Split
from cifar_dsl.training.datasets.store import canonical_order

_BYTES = 0x08  # the type of the values, in the third byte of a file
_INFLATED_BYTES = 64 * 1024 * 1024  # the largest published file has 47 MB


@frozen
class IdxFiles(Published):
    """A dataset in four files: training pictures and labels, test pictures and labels."""

    parts: tuple[PublishedFile, PublishedFile, PublishedFile, PublishedFile]

    @property
    def files(self) -> tuple[PublishedFile, ...]:
        """The four files."""
        return self.parts

    @property
    def subfolder(self) -> str:
        """Its name, since the files of MNIST and Fashion-MNIST have the same names."""
        return self.name

    def read(self, paths: Mapping[str, Path]) -> tuple[Split, Split]:
        """Read the four arrays."""
        arrays = [read_idx(paths[part.filename]) for part in self.parts]
        return _split(arrays[0], arrays[1]), _split(arrays[2], arrays[3])


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """The array of bytes in an IDX file, compressed if its name ends with .gz. Raises OSError, ValueError."""
    try:
        with open_regular(path) as file, gzip.open(file) if path.suffix == ".gz" else file as inflated:
            content = inflated.read(_INFLATED_BYTES + 1)
    except (EOFError, zlib.error) as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error
    if len(content) > _INFLATED_BYTES:
        raise ValueError(f"{path.name} holds more than {_INFLATED_BYTES:,} bytes")
    if len(content) < 4 or content[:3] != bytes((0, 0, _BYTES)):
        raise ValueError(f"{path.name} is not an IDX file of bytes")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(f"{path.name} ends within its header")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    values = np.frombuffer(content, np.uint8, offset=start)
    try:
        return values.reshape(shape)
    except ValueError:
        raise ValueError(f"{path.name} has {len(values):,} values, not {'x'.join(map(str, shape))}") from None


def _split(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Split:
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise ValueError(f"pictures {images.shape} and labels {labels.shape} don't belong together")
    return canonical_order(images[..., None], labels.astype(np.int64))


_Parts = tuple[PublishedFile, PublishedFile, PublishedFile, PublishedFile]
_SIZES = (47_040_016, 60_008, 7_840_016, 10_008)  # of the decompressed files, of both datasets


def _parts(base: str, *facts: tuple[int, str]) -> _Parts:
    """The four files at `base`, with their sizes and MD5 checksums."""
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    first, second, third, fourth = (
        PublishedFile(f"{base}/{name}-ubyte.gz", size, Checksum("md5", md5))
        for name, (size, md5) in zip(names, facts, strict=True)
    )
    return first, second, third, fourth


def _inflated(source: IdxFiles, *checksums: str) -> tuple[IdxFiles, IdxFiles]:
    """The dataset in its decompressed files, with these MD5 checksums, under both names that they go by."""

    def parts(dot: str) -> _Parts:
        first, second, third, fourth = (
            PublishedFile(
                part.url, size, Checksum("md5", md5), inflated=part.filename.removesuffix(".gz").replace("-idx", dot)
            )
            for part, size, md5 in zip(source.parts, _SIZES, checksums, strict=True)
        )
        return first, second, third, fourth

    return evolve(source, parts=parts("-idx")), evolve(source, parts=parts(".idx"))


MNIST = IdxFiles(
    name="mnist",
    title="MNIST",
    classes=tuple("0123456789"),
    parts=_parts(
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        (9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        (28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
        (1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
        (4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
)
FASHION_MNIST = IdxFiles(
    name="fashion_mnist",
    title="Fashion-MNIST",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    parts=_parts(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        (26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        (29_515, "25c81989df183df01b3e8a0aad5dffbe"),
        (4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
        (5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
)
INFLATED = (
    *_inflated(
        MNIST,
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    *_inflated(
        FASHION_MNIST,
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
)
