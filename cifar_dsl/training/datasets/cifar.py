"""CIFAR-10 and CIFAR-100 as published: archives, classes and digests.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009;
https://www.cs.toronto.edu/~kriz/cifar.html describes the files. This reads the binary version. The Python version is
pickled, and unpickling a file runs the code that it contains.
"""

import tarfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cifar_dsl.foundation.errors import DataError, DownloadError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.training.datasets.dataset import Dataset
from cifar_dsl.training.datasets.download import download, file_sha256
from cifar_dsl.training.datasets.progress import Progress
from cifar_dsl.training.datasets.store import canonical_order

CHANNELS, HEIGHT, WIDTH = 3, 32, 32
MEMBER_BYTES = 256 * 1024 * 1024  # the largest member of the published archives has 154 MB

# `Dataset.digest` of all 60,000 pictures. Their training split has the published mean per channel,
# (0.49139968, 0.48215841, 0.44653091), and standard deviation, (0.24703223, 0.24348513, 0.26158784).
CIFAR10_DIGEST = "c18633b839ebc6ffa21102c7cba5b21473e10cf0898391213d54a48da9ff320f"

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
CIFAR100_CLASSES = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
    lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
    pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal
    shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank
    telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
    """.split()  # noqa: SIM905  a tuple literal would take a hundred lines
)


@frozen
class Archive:
    """A published archive and the format of its members.

    A member is a sequence of records: `label_bytes` labels of one byte each, the last of which is used, then the 3072
    bytes of a picture, (C, H, W).
    """

    name: str
    title: str
    classes: tuple[str, ...]
    url: str
    size: int  # bytes
    sha256: str
    train: tuple[str, ...]  # members
    test: tuple[str, ...]
    label_bytes: int

    @property
    def filename(self) -> str:
        """The name of the archive in the data folder."""
        return self.url.rpartition("/")[2]


ARCHIVES = {
    archive.name: archive
    for archive in (
        Archive(
            name="cifar10",
            title="CIFAR-10",
            classes=CIFAR10_CLASSES,
            url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            size=170_052_171,
            sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            train=tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
            test=("cifar-10-batches-bin/test_batch.bin",),
            label_bytes=1,
        ),
        Archive(
            name="cifar100",
            title="CIFAR-100",
            classes=CIFAR100_CLASSES,
            url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            size=168_513_733,
            sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            train=("cifar-100-binary/train.bin",),
            test=("cifar-100-binary/test.bin",),
            label_bytes=2,  # the coarse label, then the fine one
        ),
    )
}


def load_or_download(archive: Archive, folder: Path, progress: Progress | None = None) -> Dataset:
    """The dataset of an archive in `folder`, downloaded if missing.

    Raises:
        DataError: The archive can't be downloaded, or is not the published one.
    """
    path = folder / archive.filename
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = path.exists()
        damaged = present and (path.stat().st_size != archive.size or file_sha256(path) != archive.sha256)
    except OSError as error:
        raise DataError(
            f"cannot use the data folder {folder}",
            "choose another folder with --data-dir or CIFAR_DSL_DATA",
            reason=str(error),
        ) from error
    if damaged:
        raise DataError(
            f"{path} is not the published archive",
            f"delete {path} to download it again, or replace it with the archive from {archive.url}",
            reason=f"the published archive has {archive.size:,} bytes and the SHA-256 {archive.sha256}",
        )
    if not present:
        try:
            download(archive.url, path, size=archive.size, sha256=archive.sha256, progress=progress)
        except DownloadError as error:
            raise _unavailable(archive, path, error) from error
    return read_archive(archive, path)


def _unavailable(archive: Archive, path: Path, error: DownloadError) -> DataError:
    return DataError(
        f"{archive.title} is not in {path.parent}, and {error.message}",
        *error.help,
        "import PNG files, DIR/train/<class>/*.png and DIR/test/..., with `cifar-dsl data import DIR`",
        f"or download {archive.url} by other means to {path}",
        "or train on the embedded dataset, which needs no download: --data shapes",
        reason=f"{error.reason}; if the dataset is in another folder, set --data-dir or CIFAR_DSL_DATA",
    )


def read_archive(archive: Archive, path: Path) -> Dataset:
    """The dataset in the .tar.gz file `path`, in canonical order.

    Reads only the members that `archive` names, into memory; extracts nothing to disk.

    Raises:
        DataError: The file is damaged, or its format differs from `archive`.
    """
    wanted = {*archive.train, *archive.test}
    try:
        with tarfile.open(path, "r:gz") as tar:
            members = {member.name: _read(tar, member) for member in tar if member.name in wanted}
        x_train, y_train = _split(archive, members, archive.train)
        x_test, y_test = _split(archive, members, archive.test)
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError) as error:
        raise DataError(
            f"{path} is not the binary version of the {archive.title} archive",
            f"delete {path} to download it again, or replace it with the archive from {archive.url}",
            reason=str(error),
        ) from error
    return Dataset(
        name=archive.name,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        classes=archive.classes,
        origin=f"published archive {archive.url}",
    )


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if not member.isreg() or member.size > MEMBER_BYTES:
        raise ValueError(f"{member.name} is not a regular file of at most {MEMBER_BYTES:,} bytes")
    file = tar.extractfile(member)
    data = file.read() if file else b""
    if len(data) != member.size:
        raise ValueError(f"{member.name} is truncated")
    return data


def _split(
    archive: Archive, members: dict[str, bytes], names: tuple[str, ...]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    record = archive.label_bytes + CHANNELS * HEIGHT * WIDTH
    parts = []
    for name in names:
        if name not in members:
            raise ValueError(f"{name} is missing")
        if len(members[name]) % record:
            raise ValueError(f"{name} is not a sequence of {record}-byte records")
        parts.append(np.frombuffer(members[name], np.uint8).reshape(-1, record))
    records = np.concatenate(parts)
    images = records[:, archive.label_bytes :].reshape(-1, CHANNELS, HEIGHT, WIDTH).transpose(0, 2, 3, 1)
    return canonical_order(np.ascontiguousarray(images), records[:, archive.label_bytes - 1].astype(np.int64))


def compare_to_published(dataset: Dataset) -> str | None:
    """Whether a dataset called cifar10 is exactly CIFAR-10, in a sentence; None for other datasets."""
    if dataset.name != "cifar10":
        return None
    if dataset.digest == CIFAR10_DIGEST:
        return "this is exactly CIFAR-10: all pictures and labels match the published archive"
    counts = len(dataset.y_train), len(dataset.y_test)
    if counts != (50_000, 10_000):
        return (
            f"this is not the published CIFAR-10: it has {counts[0]:,} training and {counts[1]:,} test "
            "pictures, not 50,000 and 10,000"
        )
    return "this is not the published CIFAR-10: pictures or labels differ"
