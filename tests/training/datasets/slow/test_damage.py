"""The dataset is the published one: damaged, foreign and hostile files are refused, and the next download repairs them.

A tiny archive, served on 127.0.0.1, replaces the published one.
"""

import gzip
import os
import random
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import attrs
import pytest
from helpers.archives import file, members, pack, published

from cifar_dsl.foundation.errors import DataError
from cifar_dsl.training.datasets import Dataset, load_dataset
from cifar_dsl.training.datasets.catalogue import PUBLISHED
from cifar_dsl.training.datasets.cifar import ARCHIVES

_DAMAGES = 100
_NAME = "cifar-10-binary.tar.gz"


@pytest.fixture
def whole(tmp_path: Path, server, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The bytes of an archive that is served, and counts as CIFAR-10 during the test."""
    entries = [file(*member) for member in members(ARCHIVES["cifar10"]).items()]
    path = pack(tmp_path / _NAME, entries)
    archive = published(ARCHIVES["cifar10"], path, f"{server.url}/{_NAME}")
    monkeypatch.setitem(PUBLISHED, "cifar10", archive)
    server.content = path.read_bytes()
    return server.content


def truncated(whole: bytes, draw: random.Random) -> bytes:
    return whole[: draw.randrange(len(whole))]


def flipped(whole: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(whole))
    return whole[:place] + bytes([whole[place] ^ 1 << draw.randrange(8)]) + whole[place + 1 :]


def same(one: Dataset, other: Dataset) -> bool:
    return (one.digest, one.classes) == (other.digest, other.classes)


@pytest.mark.parametrize("damage", [truncated, flipped])
def test_no_damaged_download_is_accepted_and_the_next_one_repairs_it(damage, whole, server, tmp_path):
    draw = random.Random(0)
    for number in range(_DAMAGES):
        folder = tmp_path / f"data{number}"
        server.content = damage(whole, draw)
        with pytest.raises(DataError):
            load_dataset("cifar10", data_dir=folder)
        assert not {path.name for path in folder.iterdir()} & {_NAME, "cifar10.npz"}
        server.content = whole
        assert len(load_dataset("cifar10", data_dir=folder).x_test) == 4


@pytest.mark.parametrize("damage", [truncated, flipped])
def test_no_archive_damaged_on_disk_is_accepted(damage, whole, tmp_path):
    draw = random.Random(1)
    folder = tmp_path / "data"
    folder.mkdir()
    for _ in range(_DAMAGES):
        (folder / _NAME).write_bytes(damage(whole, draw))
        with pytest.raises(DataError, match="is not the published archive"):
            load_dataset("cifar10", data_dir=folder)
    (folder / _NAME).unlink()
    assert load_dataset("cifar10", data_dir=folder)


@pytest.mark.parametrize("where", ["anywhere", "directory"])
@pytest.mark.parametrize("damage", [truncated, flipped])
def test_no_damaged_cached_dataset_is_accepted(damage, where, whole, tmp_path):
    """A flipped bit without effect, such as in a date, leaves the same dataset."""
    draw = random.Random(2)
    folder = tmp_path / "data"
    right = load_dataset("cifar10", data_dir=folder)
    kept = (folder / "cifar10.npz").read_bytes()
    start = 0 if where == "anywhere" else kept.index(b"PK\x01\x02")  # the list of what a zip file holds
    refused = 0
    for _ in range(_DAMAGES):
        (folder / "cifar10.npz").write_bytes(kept[:start] + damage(kept[start:], draw))
        try:
            assert same(load_dataset("cifar10", data_dir=folder), right)
        except DataError:
            refused += 1
    assert refused >= _DAMAGES // 4
    (folder / "cifar10.npz").unlink()
    assert same(load_dataset("cifar10", data_dir=folder), right)


def hostile_archives(whole: bytes, folder: Path) -> dict[str, bytes]:
    """Hostile bytes that a server may send instead."""

    def tar(name: str, **fields: object) -> bytes:
        info = tarfile.TarInfo(name)
        for field, value in fields.items():
            setattr(info, field, value)
        header = info.tobuf(tarfile.GNU_FORMAT)
        return gzip.compress(header + bytes(10240 - len(header)))

    member = "cifar-10-batches-bin/data_batch_1.bin"
    return {
        "page": b"<html>Please log in</html>",
        "traversal": tar("../../../../evil"),
        "absolute": tar(str(folder / "evil")),
        "symbolic link": tar(member, type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        "hard link": tar(member, type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        "device": tar(member, type=tarfile.CHRTYPE, devmajor=1, devminor=5),
        "FIFO": tar(member, type=tarfile.FIFOTYPE),
        "huge member": tar(member, size=10**12),
        "bomb": gzip.compress(bytes(50_000_000)),
        "no tar": gzip.compress(b"hello"),
        "zip": b"PK\x03\x04" + bytes(100),
        "longer": whole + b"more",
        "empty": b"",
    }


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("kind", hostile_archives(b"", Path("/nowhere")))
def test_a_hostile_archive_is_refused_and_the_next_download_repairs_it(
    kind, padded, whole, server, tmp_path, monkeypatch
):
    folder = tmp_path / "data"
    sent = hostile_archives(whole, tmp_path)[kind]
    # Of the right length it gets past what the server announces, and the checksum alone is left.
    server.content = (sent + bytes(len(whole)))[: len(whole)] if padded else sent
    if padded and kind == "longer":
        server.content = flipped(whole, random.Random(3))
    before = set(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(tarfile, "open", lambda *_, **__: pytest.fail("an archive was opened before it was checked"))
        with pytest.raises(DataError):
            load_dataset("cifar10", data_dir=folder)
    assert set(tmp_path.iterdir()) - before <= {folder}
    assert not (folder / _NAME).exists()
    server.content = whole
    assert len(load_dataset("cifar10", data_dir=folder).x_test) == 4


def test_a_killed_download_is_repaired(whole, server, tmp_path):
    """Kill the download several times, each time later.

    The network decides the length of each chunk, at most 1 MiB. The limits are further apart than that, so every kill
    leaves less than the next limit.
    """
    archive = PUBLISHED["cifar10"]
    target = tmp_path / "data" / _NAME
    target.parent.mkdir()
    server.content = os.urandom(8_000_000)
    (tmp_path / "expected").write_bytes(server.content)
    archive = attrs.evolve(published(archive, tmp_path / "expected", archive.url))
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from cifar_dsl.training.datasets.download import Checksum, download\n"
        "url, target, size, sha256, limit = sys.argv[1:]\n"
        "def progress(done, total, what):\n"
        "    if done >= int(limit): os.kill(os.getpid(), signal.SIGKILL)\n"
        "download(url, Path(target), size=int(size), checksum=Checksum('sha256', sha256), progress=progress)\n"
    )
    for limit in (1, 2_000_000, 4_000_000, 6_000_000, 8_000_000):
        arguments = [archive.url, target, archive.size, archive.sha256, limit]
        done = subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=False, capture_output=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert not target.exists()
    arguments[-1] = 10**9
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True)
    assert target.read_bytes() == server.content
