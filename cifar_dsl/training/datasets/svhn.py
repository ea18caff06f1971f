"""SVHN as published: two MATLAB files of digits from house numbers, 32x32.

Netzer, Wang, Coates, Bissacco, Wu and Ng, "Reading Digits in Natural Images with Unsupervised Feature Learning", 2011;
http://ufldl.stanford.edu/housenumbers describes the files. The checksums are those of torchvision. The "extra" training
images are left out, as in torchvision's `train` split.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from cifar_dsl.foundation.reading import open_regular
from cifar_dsl.foundation.records import frozen
from cifar_dsl.training.datasets.download import Checksum
from cifar_dsl.training.datasets.published import Published, PublishedFile, Split
from cifar_dsl.training.datasets.store import canonical_order

_ZERO = 10  # the label of the digit 0


@frozen
class MatFiles(Published):
    """A dataset in two MATLAB files, each with `X`, (H, W, C, N) uint8, and `y`, (N, 1)."""

    train: PublishedFile
    test: PublishedFile

    @property
    def files(self) -> tuple[PublishedFile, ...]:
        """The two files."""
        return self.train, self.test

    @property
    def subfolder(self) -> str:
        """Its name, since the names of the files say little."""
        return self.name

    def read(self, paths: Mapping[str, Path]) -> tuple[Split, Split]:
        """Read the arrays of both files."""
        return _read(paths[self.train.filename]), _read(paths[self.test.filename])


def _read(path: Path) -> Split:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        with open_regular(path) as file:
            arrays: dict[str, Any] = loadmat(cast("Any", file), variable_names=("X", "y"))  # the stubs want a path
    except (MatReadError, NotImplementedError, ValueError, TypeError, EOFError) as error:
        raise ValueError(f"{path.name} is not a MATLAB file: {error}") from error
    images, labels = arrays.get("X"), arrays.get("y")
    if not isinstance(images, np.ndarray) or not isinstance(labels, np.ndarray) or images.dtype != np.uint8:
        raise ValueError(f"{path.name} doesn't hold X, bytes, and y, labels")
    if images.ndim != 4 or labels.size != images.shape[3] or labels.dtype.kind not in "iuf":
        raise ValueError(f"{path.name} doesn't hold X, (H, W, C, N), and y, (N, 1)")
    if not np.isin(labels, np.arange(_ZERO + 1)).all():
        raise ValueError(f"{path.name} holds labels other than 0 to {_ZERO}")
    digits = labels.reshape(-1).astype(np.int64)
    return canonical_order(np.ascontiguousarray(images.transpose(3, 0, 1, 2)), np.where(digits == _ZERO, 0, digits))


SVHN = MatFiles(
    name="svhn",
    title="SVHN",
    classes=tuple("0123456789"),
    train=PublishedFile(
        "http://ufldl.stanford.edu/housenumbers/train_32x32.mat",
        182_040_794,
        Checksum("md5", "e26dedcc434d2e4c54c9b2d4a06d8373"),
    ),
    test=PublishedFile(
        "http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
        64_275_384,
        Checksum("md5", "eb5a983be6a315427106f1b164d9cef3"),
    ),
)
