"""The published archives, as tiny ones of the same format: served, placed by hand, damaged and hostile."""

import hashlib
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest
from helpers.archives import (
    PER_MEMBER,
    file,
    members,
    pack,
    picture,
    published,
    python2_batch,
    python_members,
    stand_in,
)

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.training.datasets import Dataset, cifar, data_directory, load_dataset
from cifar_dsl.training.datasets.catalogue import PUBLISHED, import_files
from cifar_dsl.training.datasets.cifar import ARCHIVES, PICKLED, Archive, compare_to_published
from cifar_dsl.training.datasets.download import Checksum
from cifar_dsl.training.datasets.published import load_or_download, read_files


def read_archive(archive: Archive, path: Path) -> Dataset:
    return read_files(archive, {archive.filename: path})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """CIFAR-10, published where nothing listens; the archive lies in `tmp_path`."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    name = "cifar-10-binary.tar.gz"
    path = pack(tmp_path / name, [file(*member) for member in members(ARCHIVES["cifar10"]).items()])
    archive = published(ARCHIVES["cifar10"], path, f"http://127.0.0.1:1/{name}")
    monkeypatch.setitem(PUBLISHED, "cifar10", archive)
    return archive


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_archives_become_the_right_pictures_and_labels(tmp_path, name):
    archive = ARCHIVES[name]
    entries = [file("readme.html", b"hello"), *(file(*member) for member in members(archive).items())]
    dataset = read_archive(archive, pack(tmp_path / "a.tar.gz", entries))
    expected = sorted(range(PER_MEMBER * len(archive.train)), key=lambda seed: seed % len(archive.classes))
    assert dataset.name == name
    assert dataset.classes == archive.classes
    assert dataset.y_train.tolist() == [seed % len(archive.classes) for seed in expected]
    pictures = {(int(y), x.tobytes()) for x, y in zip(dataset.x_train, dataset.y_train, strict=True)}
    assert pictures == {(seed % len(archive.classes), picture(seed).tobytes()) for seed in expected}
    assert dataset.x_test.shape == (PER_MEMBER, 32, 32, 3)


def test_the_classes_are_in_the_order_of_their_names():
    for archive, n in (ARCHIVES["cifar10"], 10), (ARCHIVES["cifar100"], 100):
        assert archive.classes == tuple(sorted(set(archive.classes)))
        assert len(archive.classes) == n


def test_without_a_network_the_error_suggests_three_alternatives(folder, offline):
    with pytest.raises(DataError, match=r"CIFAR-10 is not in .* cannot download") as caught:
        load_dataset("cifar10", data_dir=folder)
    ways = "\n".join(caught.value.help)
    assert "cifar-dsl data import DIR" in ways
    assert str(folder / "cifar-10-binary.tar.gz") in ways
    assert "--data shapes" in ways
    assert "--data-dir" in caught.value.reason
    assert "CIFAR_DSL_DATA" in caught.value.reason


def test_an_archive_placed_by_hand_is_used_and_cached(folder, tmp_path, offline, monkeypatch):
    folder.mkdir()
    (tmp_path / offline.filename).rename(folder / offline.filename)
    monkeypatch.setenv("CIFAR_DSL_DATA", str(folder))
    first = load_dataset("cifar10")
    assert len(first.x_train) == 5 * PER_MEMBER
    (folder / offline.filename).unlink()
    second = load_dataset("cifar10")
    assert (second.digest, second.name, second.origin) == (first.digest, "cifar10", first.origin)
    assert second.classes == first.classes


def test_a_wrong_archive_placed_by_hand_is_refused_and_kept(folder, offline):
    folder.mkdir()
    (folder / offline.filename).write_bytes(b"x" * offline.size)
    with pytest.raises(DataError, match="is not the published archive"):
        load_dataset("cifar10", data_dir=folder)
    assert (folder / offline.filename).exists()


def test_a_damaged_cache_is_not_replaced_silently(folder, offline):
    folder.mkdir()
    (folder / "cifar10.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="damaged") as caught:
        load_dataset("cifar10", data_dir=folder)
    assert f"delete {folder / 'cifar10.npz'}" in caught.value.help[0]


def test_an_archive_is_downloaded_verified_and_cached(folder, tmp_path, offline, server, monkeypatch):
    server.content = (tmp_path / offline.filename).read_bytes()
    online = attrs.evolve(offline, url=f"{server.url}/{offline.filename}")
    monkeypatch.setitem(PUBLISHED, "cifar10", online)
    reports = []
    first = load_dataset("cifar10", data_dir=folder, progress=lambda *news: reports.append(news))
    assert reports[-1] == (online.size, online.size, online.url)
    assert sorted(entry.name for entry in folder.iterdir()) == [online.filename, "cifar10.npz"]
    assert online.url in first.origin
    assert load_dataset("cifar10", data_dir=folder).digest == first.digest
    assert len(server.requests) == 1


def test_a_data_folder_that_is_a_file_is_reported(folder, offline):
    folder.write_text("")
    with pytest.raises(DataError, match="cannot use the data folder"):
        load_or_download(offline, folder)


def test_an_inaccessible_data_folder_is_reported(tmp_path):
    with pytest.raises(DataError, match="cannot access the data folder"):
        load_dataset("cifar10", data_dir=tmp_path / ("x" * 300))


HOSTILE_NAME = "cifar-10-batches-bin/data_batch_1.bin"


def symlink() -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(HOSTILE_NAME)
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info, b""


def device() -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(HOSTILE_NAME)
    info.type = tarfile.CHRTYPE
    return info, b""


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (symlink(), "not a regular file"),
        (device(), "not a regular file"),
        (file(HOSTILE_NAME, b"\0" * 5000), "of at most 4,000 bytes"),
        (file(HOSTILE_NAME, b"\0" * 100), "not a sequence of 3073-byte records"),
        (file("../" + HOSTILE_NAME, b""), "data_batch_1.bin is missing"),
    ],
)
def test_hostile_members_are_refused_and_touch_no_disk(tmp_path, monkeypatch, entry, reason):
    monkeypatch.setattr(cifar, "MEMBER_BYTES", 4000)
    monkeypatch.chdir(tmp_path)
    path = pack(tmp_path / "hostile.tar.gz", [entry])
    with pytest.raises(DataError, match="is not the binary version of the CIFAR-10 archive") as caught:
        read_archive(ARCHIVES["cifar10"], path)
    assert reason in caught.value.reason
    assert list(tmp_path.iterdir()) == [path]


def test_a_member_outside_the_folder_is_skipped(tmp_path):
    archive = ARCHIVES["cifar10"]
    entries = [file("../../evil", b"x"), *(file(*member) for member in members(archive).items())]
    path = pack(tmp_path / "a.tar.gz", entries)
    assert len(read_archive(archive, path).x_train) == 5 * PER_MEMBER
    assert list(tmp_path.iterdir()) == [path]


def test_a_member_shorter_than_its_declared_size_is_refused(tmp_path):
    info, content = file(HOSTILE_NAME, b"\0" * 3073)
    info.size = 3073 * 1000
    path = tmp_path / "short.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.fileobj.write(info.tobuf() + content)
    with pytest.raises(DataError, match="is not the binary version of the CIFAR-10 archive"):
        read_archive(ARCHIVES["cifar10"], path)


def test_truncated_and_foreign_files_are_refused(tmp_path, offline):
    whole = (tmp_path / offline.filename).read_bytes()
    path = tmp_path / "a.tar.gz"
    for content in (b"", b"<html>", whole[:10], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="is not the binary version of the CIFAR-10 archive"):
            read_archive(offline, path)


def dataset(n_train: int, n_test: int, name: str = "cifar10") -> Dataset:
    x, y = np.zeros((n_train, 1, 1, 3), np.uint8), np.zeros(n_train, np.int64)
    return Dataset(name, x, y, x[:n_test], y[:n_test], cifar.CIFAR10_CLASSES, "made up")


def test_data_that_is_exactly_cifar10_is_recognized(monkeypatch):
    other = dataset(50_000, 10_000)
    assert "49,999 training" in compare_to_published(dataset(49_999, 10_000))
    assert "9,999 test" in compare_to_published(dataset(50_000, 9_999))
    assert "pictures or labels differ" in compare_to_published(other)
    assert compare_to_published(dataset(5, 5, "npz")) is None
    monkeypatch.setattr(cifar, "CIFAR10_DIGEST", other.digest)
    assert "exactly CIFAR-10" in compare_to_published(other)


def test_the_data_folder_is_the_argument_then_the_environment_then_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("CIFAR_DSL_DATA", str(tmp_path))
    assert data_directory(Path("here")) == Path("here")
    assert data_directory() == tmp_path
    monkeypatch.setenv("CIFAR_DSL_DATA", "")
    assert data_directory().parts[-2:] == ("cifar_dsl", "data")


def test_names_that_do_not_fit_the_path_are_refused(tmp_path):
    with pytest.raises(DataError, match="unknown dataset 'imagenet'"):
        load_dataset("imagenet")
    with pytest.raises(DataError, match="'npz' needs"):
        load_dataset("npz")
    with pytest.raises(DataError, match="'shapes' takes no path"):
        load_dataset("shapes", path=tmp_path)


@pytest.fixture
def pickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes a tiny archive that counts as the published Python version of a dataset."""

    def make(name: str) -> Path:
        source = PICKLED[name]
        contents = python_members(name)
        path = pack(tmp_path / source.archive.filename, [file(*member) for member in contents.items()])
        checksums = [Checksum("md5", hashlib.md5(content).hexdigest()) for content in contents.values()]
        tiny = attrs.evolve(
            source,
            archive=stand_in(source.archive, path.read_bytes()),
            checksums=tuple(checksums[: len(source.checksums)]),
        )
        monkeypatch.setitem(PICKLED, name, tiny)
        return path

    return make


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_python_version_holds_the_same_dataset_packed_and_extracted(pickled, tmp_path, name):
    archive = pack(tmp_path / "binary.tar.gz", [file(*member) for member in members(ARCHIVES[name]).items()])
    expected = read_archive(published(ARCHIVES[name], archive, "http://127.0.0.1:1/x"), archive)
    path = pickled(name)
    folder = tmp_path / "extracted"
    folder.mkdir()
    for member, content in python_members(name).items():
        (folder / Path(member).name).write_bytes(content)
    for one in (import_files(path), import_files(folder)):
        assert (one.digest, one.classes, one.name) == (expected.digest, expected.classes, name)
    assert import_files(path.parent).digest == expected.digest  # a folder that holds the archive


def test_another_extracted_cifar100_is_refused(tmp_path):
    """Nobody publishes the digest of its images, but torchvision the checksums of the files."""
    for member, content in python_members("cifar100").items():
        (tmp_path / Path(member).name).write_bytes(content)
    with pytest.raises(DataError, match="is not the extracted Python version of CIFAR-100") as caught:
        import_files(tmp_path)
    assert caught.value.reason == "the published cifar-100-python/train has the MD5 16019d7e3df5f24257cddd939b257f8d"


def test_folders_of_pictures_are_not_the_files_of_the_same_names(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    assert import_files(tmp_path) is None


def test_another_file_under_the_name_of_the_python_version_is_never_opened(pickled, monkeypatch):
    path = pickled("cifar10")
    path.write_bytes(b"x" * len(path.read_bytes()))
    monkeypatch.setattr(tarfile, "open", lambda *_, **__: pytest.fail("an archive was opened before it was checked"))
    with pytest.raises(DataError, match="is not the published archive") as caught:
        import_files(path)
    assert "MD5" in caught.value.reason


BATCH = python2_batch(np.zeros((1, 3072), np.uint8), [1])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data_batch_2", b"\x80\x02}."),
        ("data_batch_2", b"\x80\x02cos\nsystem\nU\x04true\x85R."),
        ("data_batch_2", BATCH.replace(b"](K\x01e", b"](\x8a\x09" + b"\x7f" * 9 + b"e")),  # a label of 72 bits
        ("test_batch", b""),
        ("data_batch_3", None),
    ],
)
def test_a_damaged_extracted_version_is_refused(tmp_path, name, content):
    for member, whole in python_members().items():
        (tmp_path / Path(member).name).write_bytes(whole)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="is not the extracted Python version of CIFAR-10"):
        import_files(tmp_path)


def test_a_fifo_among_the_extracted_files_is_refused(tmp_path):
    for member, whole in python_members().items():
        (tmp_path / Path(member).name).write_bytes(whole)
    (tmp_path / "data_batch_1").unlink()
    os.mkfifo(tmp_path / "data_batch_1")
    with pytest.raises(DataError) as caught:
        import_files(tmp_path)
    assert "not a regular file" in caught.value.reason


def test_a_file_of_another_name_is_refused_with_the_known_names(tmp_path):
    (tmp_path / "data.zip").write_bytes(b"")
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz"):
        import_files(tmp_path / "data.zip")
    assert import_files(tmp_path) is None
