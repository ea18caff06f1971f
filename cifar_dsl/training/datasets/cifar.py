"""CIFAR-10 and CIFAR-100 as published: archives, classes and digests.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009;
https://www.cs.toronto.edu/~kriz/cifar.html describes the files. The binary version is downloaded. The Python version is
pickled, and unpickling a file runs the code that it contains; `pickles` reads it as data.
"""

import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.foundation.reading import open_regular, read_regular
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import reason_of
from cifar_dsl.training.datasets.dataset import Dataset
from cifar_dsl.training.datasets.download import Checksum, content_checksum
from cifar_dsl.training.datasets.pickles import Made, read_pickle
from cifar_dsl.training.datasets.published import Published, PublishedFile, Split, as_dataset
from cifar_dsl.training.datasets.store import canonical_order

CHANNELS, HEIGHT, WIDTH = 3, 32, 32
MEMBER_BYTES = 256 * 1024 * 1024  # the largest member of the published archives has 154 MB

# `Dataset.digest` of all 60,000 pictures. Their training split has the published mean per channel,
# (0.49139968, 0.48215841, 0.44653091), and standard deviation, (0.24703223, 0.24348513, 0.26158784).
CIFAR10_DIGEST = "c18633b839ebc6ffa21102c7cba5b21473e10cf0898391213d54a48da9ff320f"

CIFAR10_COUNTS = (50_000, 10_000)  # training and test pictures
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
class Archive(Published):
    """A published archive and the format of its members.

    A member is a sequence of records: `label_bytes` labels of one byte each, the last of which is used, then the 3072
    bytes of a picture, (C, H, W).
    """

    url: str
    size: int  # bytes
    sha256: str
    train: tuple[str, ...]  # members
    test: tuple[str, ...]
    label_bytes: int

    @property
    def files(self) -> tuple[PublishedFile, ...]:
        """The archive."""
        return (PublishedFile(self.url, self.size, Checksum("sha256", self.sha256)),)

    @property
    def filename(self) -> str:
        """The name of the archive in the data folder."""
        return self.files[0].filename

    @property
    def description(self) -> str:
        """The binary version of the archive."""
        return f"the binary version of the {self.title} archive"

    def read(self, paths: Mapping[str, Path]) -> tuple[Split, Split]:
        """Read only the members that it names, into memory; extract nothing to disk."""
        members = _members(paths[self.filename], {*self.train, *self.test})
        return _split(self, members, self.train), _split(self, members, self.test)


@frozen
class PickledArchive(Published):
    """The Python version of an archive.

    A member holds `data`, (N, 3072) bytes of pictures (C, H, W), and labels under the key `labels`. `checksums` are
    those of the members; without them, the digest of the dataset shows whether they are the published ones.
    """

    archive: PublishedFile
    train: tuple[str, ...]  # members
    test: tuple[str, ...]
    labels: bytes
    checksums: tuple[Checksum, ...] = ()  # of `train`, then of `test`

    @property
    def files(self) -> tuple[PublishedFile, ...]:
        """The archive."""
        return (self.archive,)

    def read(self, paths: Mapping[str, Path]) -> tuple[Split, Split]:
        """Read the members of the archive as data; nothing in a pickle is imported or called."""
        return self.read_members(_members(paths[self.archive.filename], {*self.train, *self.test}))

    def is_extracted_in(self, folder: Path) -> bool:
        """Whether the archive was extracted there: a folder `test` can also hold pictures."""
        member = folder / Path(self.test[0]).name
        return member.exists() and not member.is_dir()

    def read_extracted(self, folder: Path) -> Dataset:
        """The dataset in the members of an extracted archive. If it has no `checksums`, compare the dataset's digest.

        Raises:
            DataError: A member is missing, damaged, or another file.
        """
        names = (*self.train, *self.test)
        try:
            members = {name: read_regular(folder / Path(name).name, MEMBER_BYTES) for name in names}
            for name, checksum in zip(names, self.checksums, strict=False):
                if content_checksum(members[name], checksum.algorithm) != checksum:
                    raise ValueError(f"the published {name} has the {checksum}")
            splits = self.read_members(members)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{folder} is not the extracted Python version of {self.title}",
                f"import the archive {self.archive.filename} itself, or extract it again",
                reason=reason_of(error),
            ) from error
        return as_dataset(self, splits, f"extracted from {self.archive.filename}")

    def read_members(self, members: Mapping[str, bytes]) -> tuple[Split, Split]:
        """The training and test split in the contents of the members. Raises ValueError."""
        train, test = ([_unpickled(name, members, self.labels) for name in names] for names in (self.train, self.test))
        return _joined(train), _joined(test)


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


# The checksums are those that torchvision publishes.
PICKLED = {
    archive.name: archive
    for archive in (
        PickledArchive(
            name="cifar10",
            title="CIFAR-10",
            classes=CIFAR10_CLASSES,
            archive=PublishedFile(
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                170_498_071,
                Checksum("md5", "c58f30108f718f92721af3b95e74349a"),
            ),
            train=tuple(f"cifar-10-batches-py/data_batch_{i}" for i in range(1, 6)),
            test=("cifar-10-batches-py/test_batch",),
            labels=b"labels",
        ),
        PickledArchive(
            name="cifar100",
            title="CIFAR-100",
            classes=CIFAR100_CLASSES,
            archive=PublishedFile(
                "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
                169_001_437,
                Checksum("md5", "eb9058c3a382ffc7106e4002c42a8d85"),
            ),
            train=("cifar-100-python/train",),
            test=("cifar-100-python/test",),
            labels=b"fine_labels",
            checksums=(
                Checksum("md5", "16019d7e3df5f24257cddd939b257f8d"),
                Checksum("md5", "f0ef6b0ae62326f3e7ffdfab6717acfc"),
            ),
        ),
    )
}


def _members(path: Path, wanted: set[str]) -> dict[str, bytes]:
    """The contents of some members of a .tar.gz file. Raises OSError, ValueError."""
    try:
        with open_regular(path) as file, tarfile.open(fileobj=file, mode="r:gz") as tar:
            return {member.name: _read(tar, member) for member in tar if member.name in wanted}
    except (EOFError, zlib.error, tarfile.TarError) as error:
        raise ValueError(str(error)) from error


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if not member.isreg() or member.size > MEMBER_BYTES:
        raise ValueError(f"{member.name} is not a regular file of at most {MEMBER_BYTES:,} bytes")
    file = tar.extractfile(member)
    data = file.read() if file else b""
    if len(data) != member.size:
        raise ValueError(f"{member.name} is truncated")
    return data


def _split(archive: Archive, members: Mapping[str, bytes], names: tuple[str, ...]) -> Split:
    record = archive.label_bytes + CHANNELS * HEIGHT * WIDTH
    parts = []
    for name in names:
        if name not in members:
            raise ValueError(f"{name} is missing")
        if len(members[name]) % record:
            raise ValueError(f"{name} is not a sequence of {record}-byte records")
        parts.append(np.frombuffer(members[name], np.uint8).reshape(-1, record))
    records = np.concatenate(parts)
    labels = records[:, archive.label_bytes - 1].astype(np.int64)
    return _in_order(records[:, archive.label_bytes :], labels)


def _in_order(rows: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> Split:
    """The split of rows (N, 3072), each a picture (C, H, W)."""
    images = rows.reshape(-1, CHANNELS, HEIGHT, WIDTH).transpose(0, 2, 3, 1)
    return canonical_order(np.ascontiguousarray(images), labels)


def _unpickled(
    name: str, members: Mapping[str, bytes], key: bytes
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The rows (N, 3072) and labels in a member of the Python version. Raises ValueError."""
    if name not in members:
        raise ValueError(f"{name} is missing")
    found = read_pickle(members[name])
    match (found.get(b"data"), found.get(key)) if isinstance(found, dict) else None:
        case Made(state=(_, _, Made(arguments=(b"u1", *_)), False, bytes(data))), list(labels):
            rows = np.frombuffer(data, np.uint8)
        case _:
            raise ValueError(f"{name} doesn't hold `data`, an array of bytes, and `{key.decode()}`, a list")
    if rows.size != len(labels) * CHANNELS * HEIGHT * WIDTH or not all(type(label) is int for label in labels):
        raise ValueError(f"{name} doesn't hold 3072 bytes and one label for each picture")
    try:
        numbers = np.array(labels, np.int64)
    except OverflowError:
        raise ValueError(f"{name} has a label of more than 64 bits") from None
    return rows.reshape(len(labels), CHANNELS * HEIGHT * WIDTH), numbers


def _joined(parts: list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]]) -> Split:
    return _in_order(np.concatenate([rows for rows, _ in parts]), np.concatenate([labels for _, labels in parts]))


def compare_to_published(dataset: Dataset) -> str | None:
    """Whether a dataset called cifar10 is exactly CIFAR-10, in a sentence; None for other datasets."""
    if dataset.name != "cifar10":
        return None
    if dataset.digest == CIFAR10_DIGEST:
        return "this is exactly CIFAR-10: all pictures and labels match the published archive"
    counts = len(dataset.y_train), len(dataset.y_test)
    if counts != CIFAR10_COUNTS:
        return other_counts(counts)
    return "this is not the published CIFAR-10: pictures or labels differ"


def other_counts(counts: tuple[int, int]) -> str:
    """That a dataset with these numbers of training and test pictures isn't CIFAR-10, in a sentence."""
    return (
        f"this is not the published CIFAR-10: it has {counts[0]:,} training and {counts[1]:,} test "
        f"pictures, not {CIFAR10_COUNTS[0]:,} and {CIFAR10_COUNTS[1]:,}"
    )
