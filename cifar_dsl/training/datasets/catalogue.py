"""The published datasets, by the names that specs use, and the files that hold them."""

from pathlib import Path

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.training.datasets.cifar import ARCHIVES, PICKLED
from cifar_dsl.training.datasets.dataset import Dataset
from cifar_dsl.training.datasets.idx import FASHION_MNIST, INFLATED, MNIST
from cifar_dsl.training.datasets.published import Published, find_files, read_files
from cifar_dsl.training.datasets.svhn import SVHN

# What `data download NAME` fetches.
PUBLISHED: dict[str, Published] = {**ARCHIVES, **{one.name: one for one in (MNIST, FASHION_MNIST, SVHN)}}


def import_files(path: Path) -> Dataset | None:
    """The published dataset in a file, or in the files of a folder, under their published names; None if in neither.

    The Python versions of CIFAR count, also extracted, and the decompressed files of MNIST. The caller compares the
    digest of an extracted CIFAR-10.

    Raises:
        DataError: A file has the name of a published one and is another, is one of several, or can't be read.
    """
    sources = (*PUBLISHED.values(), *PICKLED.values(), *INFLATED)
    found = find_files(sources, path)
    if found is not None:
        return read_files(*found)
    for archive in PICKLED.values():
        if archive.is_extracted_in(path):
            return archive.read_extracted(path)
    if path.is_dir():
        return None
    for source in sources:
        names = [file.filename for file in source.files]
        if path.name in names:  # of several
            raise DataError(
                f"{path} is one of the {len(names)} files of {source.title}",
                f"import the folder that holds {', '.join(names)}: `cifar-dsl data import {path.parent}`",
            )
    archives = sorted(source.files[0].filename for source in sources if len(source.files) == 1)
    raise DataError(
        f"{path} is not a published archive: its name is none of {', '.join(archives)}",
        "import a folder of images, DIR/train|test/<class>/*.png, or of the published files of MNIST, Fashion-MNIST or "
        "SVHN, or a published archive under its own name",
        reason="a file is recognized by its name, then compared with the published checksum",
    )
