"""Only regular files of bounded size are read, and nothing ever blocks."""

import os
import socket
from pathlib import Path

import pytest

from cifar_dsl.foundation.reading import IrregularFileError, OversizedFileError, open_regular, read_regular


def test_a_regular_file_and_a_link_to_one_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"content")
    (tmp_path / "link").symlink_to(path)
    for each in (path, tmp_path / "link"):
        assert read_regular(each, 7) == b"content"
        with open_regular(each) as file:
            assert file.read() == b"content"


def test_a_file_over_the_bound_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"content")
    with pytest.raises(OversizedFileError, match="larger than 6 bytes"):
        read_regular(path, 6)
    with pytest.raises(OversizedFileError):
        open_regular(path, 6)


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a file that has content and the size 0")
def test_a_file_that_is_longer_than_its_size_is_refused() -> None:
    assert Path("/proc/version").stat().st_size == 0
    with pytest.raises(OversizedFileError):
        read_regular(Path("/proc/version"), 3)


def test_a_fifo_a_device_a_socket_and_a_folder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has a limit
    os.mkfifo("fifo")
    Path("zero").symlink_to("/dev/zero")
    Path("folder").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for name in ("fifo", "zero", "socket"):
            with pytest.raises(IrregularFileError, match="not a regular file"):
                read_regular(Path(name), 10)
    with pytest.raises(IrregularFileError, match="a folder"):
        read_regular(Path("folder"), 10)


def test_a_missing_file_is_an_ordinary_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none", 10)
