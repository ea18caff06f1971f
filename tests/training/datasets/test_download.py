"""Downloads from a real server on 127.0.0.1 that can close the connection, ignore ranges, and send wrong data."""

import hashlib
import os
from pathlib import Path

import pytest

from cifar_dsl.foundation.errors import DataError, DownloadError
from cifar_dsl.training.datasets.download import Checksum, download

CONTENT = bytes(i * 7 % 251 for i in range(300_000))
SHA256 = Checksum("sha256", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def server(server):
    server.content = CONTENT
    return server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data.tar.gz"


def part_of(target: Path) -> Path:
    return target.with_name("data.tar.gz.part")


def fetch(server, target: Path, **changes: object) -> None:
    download(server.url, target, **{"size": len(CONTENT), "checksum": SHA256, **changes})


def test_a_download_reports_progress_and_leaves_only_the_file(server, target):
    reports = []
    fetch(server, target, progress=lambda done, total, what: reports.append((done, total, what)))
    assert target.read_bytes() == CONTENT
    assert reports[-1] == (len(CONTENT), len(CONTENT), server.url)
    assert reports == sorted(reports)
    assert list(target.parent.iterdir()) == [target]


def test_an_interrupted_download_resumes(server, target):
    server.break_after = 100_000
    with pytest.raises(DownloadError, match="was interrupted") as caught:
        fetch(server, target)
    assert "100,000 of 300,000" in caught.value.reason
    assert not target.exists()
    server.break_after = None
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert server.sent == len(CONTENT)
    assert server.requests == [None, "bytes=100000-"]


def test_a_server_without_ranges_sends_all_again(server, target):
    part_of(target).write_bytes(CONTENT[:1000])
    server.ranges = False
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert server.requests == ["bytes=1000-"]


def test_a_refused_range_starts_over(server, target):
    server.content = CONTENT[:500]
    part_of(target).write_bytes(CONTENT[:900])
    with pytest.raises(DownloadError, match="not the expected file"):
        fetch(server, target)
    assert server.requests == ["bytes=900-", None]


@pytest.mark.parametrize("kept", [b"x" * 1000, b"x" * 300_000, b"x" * 300_001])
def test_a_wrong_partial_file_is_discarded(server, target, kept):
    part_of(target).write_bytes(kept)
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert not part_of(target).exists()


def test_a_web_page_instead_of_the_file_is_refused_and_not_kept(server, target):
    server.content, server.kind = b"<html>Please log in</html>", "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match="not the expected file") as caught:
        fetch(server, target)
    assert "text/html" in caught.value.reason
    assert list(target.parent.iterdir()) == []


def test_a_longer_file_is_not_read(server, target):
    server.content = CONTENT + b"more"
    with pytest.raises(DownloadError, match="not the expected file"):
        fetch(server, target)
    assert not target.exists()


def test_one_flipped_bit_is_detected_and_the_next_download_repairs_it(server, target):
    server.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(DownloadError, match="not the expected file") as caught:
        fetch(server, target)
    assert str(SHA256) in caught.value.reason
    assert list(target.parent.iterdir()) == []
    server.content = CONTENT
    fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_an_interruption_keeps_the_downloaded_bytes(server, target):
    def interrupt(done: int, total: int | None, what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server, target, progress=interrupt)
    kept = part_of(target).read_bytes()
    assert kept
    assert CONTENT.startswith(kept)
    fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_an_unreachable_server_is_reported(server, target):
    with pytest.raises(DownloadError, match=r"cannot download http://127\.0\.0\.1:1/"):
        download("http://127.0.0.1:1/data.tar.gz", target, size=1, checksum=SHA256)


def test_a_missing_page_is_reported(server, target):
    server.content = b""
    with pytest.raises(DownloadError, match="cannot download") as caught:
        fetch(server, target)
    assert "416" in caught.value.reason


def test_a_folder_that_cant_be_written_is_reported(server, target):
    part_of(target).mkdir()
    with pytest.raises(DataError, match="cannot write") as caught:
        fetch(server, target)
    assert not isinstance(caught.value, DownloadError)


def test_a_fifo_in_place_of_the_interrupted_download_is_refused(server, target):
    os.mkfifo(part_of(target))
    with pytest.raises(DataError, match="cannot write") as caught:
        fetch(server, target)
    assert "not a regular file" in caught.value.reason
