"""The published datasets, by the names that specs use, and the files that hold them."""

from pathlib import Path

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.training.datasets.cifar import ARCHIVES, CIFAR10_PICKLED
from cifar_dsl.training.datasets.dataset import Dataset
from cifar_dsl.training.datasets.idx import FASHION_MNIST, MNIST
from cifar_dsl.training.datasets.published import Published, find_files, read_files
from cifar_dsl.training.datasets.svhn import SVHN

# What `data download NAME` fetches.
PUBLISHED: dict[str, Published] = {**ARCHIVES, **{one.name: one for one in (MNIST, FASHION_MNIST, SVHN)}}


def import_files(path: Path) -> Dataset | None:
    """The published dataset in a file, or in the files of a folder, under their published names; None if in neither.

    The Python version of CIFAR-10 counts, also extracted; the caller compares the digest of what is extracted.

    Raises:
        DataError: A file has the name of a published one and is another, or can't be read.
    """
    found = find_files((*PUBLISHED.values(), CIFAR10_PICKLED), path)
    if found is not None:
        return read_files(*found)
    if (path / Path(CIFAR10_PICKLED.test[0]).name).exists():
        return CIFAR10_PICKLED.read_extracted(path)
    if path.is_dir():
        return None
    names = sorted({file.filename for one in (*PUBLISHED.values(), CIFAR10_PICKLED) for file in one.files})
    raise DataError(
        f"{path} is not a published file: its name is none of {', '.join(names)}",
        "import a folder of images, DIR/train|test/<class>/*.png, or a published archive under its own name",
        reason="a file is recognized by its name, then compared with the published checksum",
    )
