"""MNIST, Fashion-MNIST and SVHN, from tiny files of the same formats: downloaded from 127.0.0.1, or placed by hand."""

import gzip
import struct
from pathlib import Path

import attrs
import numpy as np
import pytest
from helpers.archives import idx, stand_in
from scipy.io import savemat

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.operations.recipe import DATASETS
from cifar_dsl.training.datasets import catalogue, load_dataset
from cifar_dsl.training.datasets.catalogue import PUBLISHED, import_files
from cifar_dsl.training.datasets.cifar import PICKLED
from cifar_dsl.training.datasets.idx import INFLATED, MNIST, IdxFiles, read_idx
from cifar_dsl.training.datasets.published import Published
from cifar_dsl.training.datasets.svhn import SVHN

RANDOM = np.random.default_rng(0)
COUNTS = (20, 10)


def grey_files() -> tuple[list[bytes], list[tuple[np.ndarray, np.ndarray]]]:
    """The four files of a dataset in the style of MNIST, and what they hold."""
    splits = [(RANDOM.integers(0, 256, (n, 28, 28), np.uint8), np.arange(n, dtype=np.uint8) % 10) for n in COUNTS]
    return [idx(array) for split in splits for array in split], splits


def mat_files(folder: Path) -> tuple[list[bytes], list[tuple[np.ndarray, np.ndarray]]]:
    """The two files of a dataset in the style of SVHN, and what they hold."""
    contents, splits = [], []
    for n in COUNTS:
        images, digits = RANDOM.integers(0, 256, (n, 32, 32, 3), np.uint8), np.arange(n) % 10
        labels = np.where(digits == 0, 10, digits).astype(np.uint8)[:, None]
        savemat(folder / "made.mat", {"X": images.transpose(1, 2, 3, 0), "y": labels}, do_compression=True)
        contents.append((folder / "made.mat").read_bytes())
        splits.append((images, digits))
    (folder / "made.mat").unlink()
    return contents, splits


@pytest.fixture(params=["mnist", "fashion_mnist", "svhn"])
def published(request, tmp_path, server, monkeypatch):
    """A tiny dataset that is served under the name of a published one; the source, its files, and what they hold."""
    source = PUBLISHED[request.param]
    contents, splits = grey_files() if isinstance(source, IdxFiles) else mat_files(tmp_path)
    files = [stand_in(*one, f"{server.url}/files") for one in zip(source.files, contents, strict=True)]
    tiny = (
        attrs.evolve(source, parts=tuple(files))
        if isinstance(source, IdxFiles)
        else attrs.evolve(source, train=files[0], test=files[1])
    )
    monkeypatch.setitem(PUBLISHED, source.name, tiny)
    named = dict(zip((file.filename for file in files), contents, strict=True))
    server.contents = {f"/data.tar.gz/files/{name}": content for name, content in named.items()}
    return tiny, named, splits


def check(dataset, source: Published, splits) -> None:
    assert (dataset.name, dataset.classes) == (source.name, source.classes)
    given = (dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)
    for (images, labels), (x, y) in zip(splits, given, strict=True):
        expected = {(int(label), image.tobytes()) for image, label in zip(images, labels, strict=True)}
        assert {(int(label), image.tobytes()) for image, label in zip(x, y, strict=True)} == expected
        assert sorted(y.tolist()) == y.tolist()
    assert dataset.image_shape == DATASETS[source.name].shape.extents


def test_a_dataset_is_downloaded_verified_and_cached(published, server, tmp_path):
    source, named, splits = published
    reports = []
    dataset = load_dataset(source.name, data_dir=tmp_path / "data", progress=lambda *news: reports.append(news))
    check(dataset, source, splits)
    assert len(server.requests) == len(named)
    assert len({what for _, _, what in reports}) == len(named)
    assert load_dataset(source.name, data_dir=tmp_path / "data").digest == dataset.digest
    assert len(server.requests) == len(named)
    assert all(file.url in dataset.origin for file in source.files)


def test_files_placed_by_hand_are_used(published, server, tmp_path):
    source, named, splits = published
    for name, path in source.places(tmp_path / "data").items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(named[name])
    check(load_dataset(source.name, data_dir=tmp_path / "data"), source, splits)
    assert server.requests == []


def test_without_a_network_the_error_says_how_to_import_fetched_files(published, monkeypatch, tmp_path):
    source, *_ = published
    files = [attrs.evolve(file, url=f"http://127.0.0.1:1/{file.filename}") for file in source.files]
    parts = {"parts": tuple(files)} if isinstance(source, IdxFiles) else {"train": files[0], "test": files[1]}
    monkeypatch.setitem(PUBLISHED, source.name, attrs.evolve(source, **parts))
    with pytest.raises(DataError, match=f"{source.title} is not in .* cannot download") as caught:
        load_dataset(source.name, data_dir=tmp_path / "data")
    (by_hand,) = (line for line in caught.value.help if "cifar-dsl data import FOLDER" in line)
    assert all(file.url in by_hand for file in files)


def test_a_folder_of_fetched_files_is_imported(published, tmp_path):
    source, named, splits = published
    (tmp_path / "fetched").mkdir()
    for name, content in named.items():
        (tmp_path / "fetched" / name).write_bytes(content)
    check(import_files(tmp_path / "fetched"), source, splits)


@pytest.mark.parametrize("number", range(4))
def test_decompressed_files_are_imported_under_both_names_that_they_go_by(number, tmp_path, monkeypatch):
    source = INFLATED[number]
    contents, splits = grey_files()
    inflated = [gzip.decompress(content) for content in contents]
    parts = tuple(stand_in(*one) for one in zip(source.parts, inflated, strict=True))
    monkeypatch.setattr(catalogue, "INFLATED", (*INFLATED, attrs.evolve(source, parts=parts)))
    assert len({part.filename for source in INFLATED[:2] for part in source.parts}) == 8
    for part, content in zip(parts, inflated, strict=True):
        (tmp_path / part.filename).write_bytes(content)
    check(import_files(tmp_path), source, splits)
    (tmp_path / parts[1].filename).write_bytes(inflated[3])
    with pytest.raises(DataError, match="is not the published file") as caught:
        import_files(tmp_path)
    assert caught.value.help[0].endswith(".gz, decompressed")


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "train-images.idx3-ubyte", "test_32x32.mat"])
def test_one_of_several_files_is_refused_with_all_their_names(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match=r"is one of the [24] files of ") as caught:
        import_files(tmp_path / name)
    assert name in caught.value.help[0]
    assert caught.value.help[0].endswith(f"`cifar-dsl data import {tmp_path}`")


def test_a_wrong_file_is_refused_with_its_checksum(published, server, tmp_path):
    source, named, _ = published
    name = list(named)[1]
    right = server.contents[f"/data.tar.gz/files/{name}"]
    server.contents[f"/data.tar.gz/files/{name}"] = right[:-1] + bytes([right[-1] ^ 1])
    with pytest.raises(DataError, match="is not the expected file") as caught:
        load_dataset(source.name, data_dir=tmp_path / "data")
    assert "MD5" in caught.value.reason
    (tmp_path / "fetched").mkdir()
    for each, content in named.items():
        (tmp_path / "fetched" / each).write_bytes(content if each != name else content + b"x")
    with pytest.raises(DataError, match="is not the published file"):
        import_files(tmp_path / "fetched")


def test_the_facts_that_check_uses_are_those_of_the_classes():
    for name, source in PUBLISHED.items():
        declared = DATASETS[name]
        assert declared.classes == len(source.classes) == len(set(source.classes))
        assert declared.images > declared.train_images > 0


def test_the_checksums_are_those_that_torchvision_publishes():
    from torchvision.datasets import CIFAR10, CIFAR100, MNIST, SVHN, FashionMNIST

    theirs = {(name, md5) for one in (MNIST, FashionMNIST) for name, md5 in one.resources}
    theirs |= {tuple(SVHN.split_list[split][1:]) for split in ("train", "test")}
    theirs |= {(one.filename, one.tgz_md5) for one in (CIFAR10, CIFAR100)}
    theirs |= {(f"{CIFAR100.base_folder}/{name}", md5) for name, md5 in (*CIFAR100.train_list, *CIFAR100.test_list)}
    files = [file for one in (*PUBLISHED.values(), *PICKLED.values()) for file in one.files]
    ours = {(file.filename, file.checksum.hexadecimal) for file in files if file.checksum.algorithm == "md5"}
    extracted = PICKLED["cifar100"]
    names = (*extracted.train, *extracted.test)
    ours |= {(name, one.hexadecimal) for name, one in zip(names, extracted.checksums, strict=True)}
    assert ours == theirs
    mirrors = (*MNIST.mirrors, *FashionMNIST.mirrors)
    for name in ("mnist", "fashion_mnist"):
        assert all(f"{file.url.rpartition('/')[0]}/" in mirrors for file in PUBLISHED[name].files)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not gzip", "gzip"),
        (idx(np.zeros((2, 2), np.uint8))[:-9], "damaged"),
        (gzip.compress(b""), "not an IDX file"),
        (gzip.compress(b"\0\0\x0d\x01" + bytes(8)), "not an IDX file of bytes"),
        (gzip.compress(b"\0\0\x08\x03\0\0"), "ends within its header"),
        (gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 10**9) + bytes(8)), "8 values, not 1000000000"),
    ],
    ids=["not gzip", "cut", "empty", "other type", "short header", "too few values"],  # gzip writes the time
)
def test_a_damaged_idx_file_is_refused(tmp_path, content, reason):
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises((ValueError, OSError), match=reason):
        read_idx(path)


@pytest.mark.parametrize(
    "arrays",
    [
        None,
        {"X": np.zeros((2, 2, 3, 4), np.uint8)},
        {"X": np.zeros((2, 3, 4), np.uint8), "y": np.zeros(4)},
        {"X": "text", "y": 1},
        {"X": np.zeros((2, 2, 3, 4), np.uint8), "y": np.array([1, 2, 2.5, 3])},
        {"X": np.zeros((2, 2, 3, 4), np.uint8), "y": np.array([1, 2, np.nan, 3])},
        {"X": np.zeros((2, 2, 3, 4), np.uint8), "y": np.array([1, 2, 2**64 - 1, 3], np.uint64)},
    ],
    ids=["no file", "no labels", "no pictures", "a text", "half a label", "no number", "a large label"],
)
def test_a_damaged_matlab_file_is_refused(tmp_path, arrays):
    path = tmp_path / "train_32x32.mat"
    if arrays is None:
        path.write_bytes(b"x" * 500)
    else:
        savemat(path, arrays)
    with pytest.raises(ValueError, match=r"train_32x32\.mat"):
        SVHN.read({"train_32x32.mat": path, "test_32x32.mat": path})


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    paths = {}
    for file, array in zip(MNIST.files, [np.zeros((2, 28, 28), np.uint8), np.zeros(3, np.uint8)] * 2, strict=True):
        paths[file.filename] = tmp_path / file.filename
        paths[file.filename].write_bytes(idx(array))
    with pytest.raises(ValueError, match="don't belong together"):
        MNIST.read(paths)
