"""Published datasets: their files, verified by size and checksum before anything is opened, and what reads them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cifar_dsl.foundation.errors import DataError, DownloadError
from cifar_dsl.foundation.folders import make_folder
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import reason_of
from cifar_dsl.training.datasets.dataset import Dataset
from cifar_dsl.training.datasets.download import Checksum, download, file_checksum
from cifar_dsl.training.datasets.progress import Progress

Split = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]  # pictures (N, H, W, C) and labels (N,)


@frozen
class PublishedFile:
    """A file on a server; with a name in `inflated`, the content of that compressed file. `size` is in bytes."""

    url: str
    size: int
    checksum: Checksum
    inflated: str = ""

    @property
    def filename(self) -> str:
        """Its name in a folder."""
        return self.inflated or self.url.rpartition("/")[2]

    @property
    def kind(self) -> str:
        """What it is, for messages."""
        return "archive" if self.filename.endswith(".tar.gz") else "file"

    def is_at(self, path: Path) -> bool:
        """Whether `path` is this file. Raises OSError."""
        return path.stat().st_size == self.size and file_checksum(path, self.checksum.algorithm) == self.checksum


@frozen
class Published:
    """A published dataset. A subclass declares `files`, and reads them once they are verified.

    Attributes:
        name: Its name in a spec.
        title: Its name for people.
        classes: The names of the classes, in the order of the labels.
    """

    name: str
    title: str
    classes: tuple[str, ...]

    @property
    def files(self) -> tuple[PublishedFile, ...]:
        """The files that hold it."""
        raise NotImplementedError(self.name)

    @property
    def description(self) -> str:
        """What its files are, for messages."""
        return f"a file of {self.title}"

    @property
    def subfolder(self) -> str:
        """The folder of its files in the data folder; empty if their names say what they are."""
        return ""

    def read(self, paths: Mapping[str, Path]) -> tuple[Split, Split]:
        """The training and test split in the files, by name. Raises DataError, or OSError, ValueError for damage."""
        raise NotImplementedError(self.name, paths)

    def places(self, folder: Path) -> dict[str, Path]:
        """Where each file is kept below the data folder."""
        return {file.filename: folder / self.subfolder / file.filename for file in self.files}


def load_or_download(source: Published, folder: Path, progress: Progress | None = None) -> Dataset:
    """The dataset of the files in the data folder, which are downloaded if missing.

    Raises:
        DataError: A file can't be downloaded, or is not the published one.
    """
    places = source.places(folder)
    for file in source.files:
        path = places[file.filename]
        try:
            make_folder(path.parent)
            present = path.exists()
            damaged = present and not file.is_at(path)
        except OSError as error:
            raise DataError(
                f"cannot use the data folder {folder}",
                "choose another folder with --data-dir or CIFAR_DSL_DATA",
                reason=reason_of(error),
            ) from error
        if damaged:
            raise not_published(file, path)
        if not present:
            try:
                download(file.url, path, size=file.size, checksum=file.checksum, progress=progress)
            except DownloadError as error:
                raise _unavailable(source, file, path, folder, error) from error
    return read_files(source, places)


def read_files(source: Published, paths: Mapping[str, Path]) -> Dataset:
    """The dataset in verified files, in canonical order. Raises DataError."""
    try:
        splits = source.read(paths)
    except (OSError, ValueError, EOFError) as error:
        place = next(iter(paths.values()))
        raise DataError(
            f"{place} is not {source.description}",
            f"delete {place} to download it again, or replace it with the {source.files[0].kind} from "
            f"{source.files[0].url}",
            reason=reason_of(error),
        ) from error
    kind = source.files[0].kind
    urls = ", ".join(file.url for file in source.files)
    return as_dataset(source, splits, f"published {kind}{'s' * (len(source.files) > 1)} {urls}")


def as_dataset(source: Published, splits: tuple[Split, Split], origin: str) -> Dataset:
    """The splits of a published dataset, with its name and classes."""
    (x_train, y_train), (x_test, y_test) = splits
    return Dataset(
        name=source.name,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        classes=source.classes,
        origin=origin,
    )


def find_files(sources: Iterable[Published], path: Path) -> tuple[Published, dict[str, Path]] | None:
    """The published dataset whose only file is `path`, or whose files are in the folder `path`, with these files.

    None if the names are those of none.

    Raises:
        DataError: A file has the name of a published one, and is not that file.
    """
    refused: DataError | None = None
    for source in sources:
        names = [file.filename for file in source.files]
        places = dict.fromkeys(names, path) if names == [path.name] else {name: path / name for name in names}
        try:
            if not all(place.exists() for place in places.values()):
                continue
            wrong = [file for file in source.files if not file.is_at(places[file.filename])]
        except OSError as error:
            raise DataError(
                f"cannot read {path}", "check that it is a readable file", reason=reason_of(error)
            ) from error
        if not wrong:
            return source, places
        refused = refused or not_published(wrong[0], places[wrong[0].filename])
    if refused:
        raise refused
    return None


def not_published(file: PublishedFile, path: Path) -> DataError:
    """The error for a file that has the name of a published one."""
    what = file.kind
    return DataError(
        f"{path} is not the published {what}",
        f"replace it with the {what} from {file.url}, decompressed"
        if file.inflated
        else f"delete {path} to download it again, or replace it with the {what} from {file.url}",
        reason=f"the published {what} has {file.size:,} bytes and the {file.checksum}",
    )


def _unavailable(source: Published, file: PublishedFile, path: Path, folder: Path, error: DownloadError) -> DataError:
    if len(source.files) > 1:
        urls = ", ".join(file.url for file in source.files)
        by_hand = [f"or fetch {urls} by other means, and import their folder: `cifar-dsl data import FOLDER`"]
    else:
        by_hand = [
            "import image files, DIR/train/<class>/*.png and DIR/test/..., with `cifar-dsl data import DIR`",
            f"or download {file.url} by other means to {path}",
        ]
    return DataError(
        f"{source.title} is not in {folder}, and {error.message}",
        *error.help,
        *by_hand,
        "or train on the embedded dataset, which needs no download: --data shapes",
        reason=f"{error.reason}; if the dataset is in another folder, set --data-dir or CIFAR_DSL_DATA",
    )
