import errno
import os
from pathlib import Path

import pytest

from cifar_dsl.foundation.atomic import write_atomically


@pytest.mark.parametrize("broken", ["write", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, broken):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if broken == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    elif broken == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(path, b"new")
    assert caught.value.filename == str(path)  # which the system leaves out where a write fails
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (events.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(Path, "replace", lambda old, new: (events.append("replace"), replace(old, new))[1])
    write_atomically(tmp_path / "file", b"new")
    assert events == ["fsync", "replace", "fsync"]  # the last one is the folder's


def test_an_interrupted_write_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_gone", [False, True])
def test_two_processes_that_write_one_file_leave_a_whole_one(tmp_path, monkeypatch, is_gone):
    """The other one removes our temporary file, and has written half of its own, or has finished."""
    path, other, fsync = tmp_path / "file", tmp_path / "file.tmp", os.fsync

    def meanwhile(descriptor: int) -> None:
        fsync(descriptor)
        monkeypatch.undo()
        other.unlink()
        if not is_gone:
            other.write_bytes(b"half")

    monkeypatch.setattr(os, "fsync", meanwhile)
    write_atomically(path, b"ours")
    assert path.read_bytes() == b"ours"
    assert is_gone or other.read_bytes() == b"half"
    assert len(list(tmp_path.iterdir())) == 2 - is_gone


def test_mode_and_link_stay_as_they_were(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    write_atomically(link, b"new", follow=True)
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_is_replaced(tmp_path):
    """A stranger's run may hold links to files that aren't part of it."""
    outside, link = tmp_path / "outside", tmp_path / "run.json"
    outside.write_bytes(b"mine")
    link.symlink_to(outside)
    write_atomically(link, b"new")
    assert (outside.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"mine", b"new", False)


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("kind", ["link", "fifo", "file"])
def test_a_file_in_the_place_of_the_temporary_one_is_not_written(tmp_path, kind, follow):
    path, planted, outside = tmp_path / "a.arch", tmp_path / "a.arch.tmp", tmp_path / "outside"
    outside.write_bytes(b"mine")
    if kind == "link":
        planted.symlink_to(outside)
    elif kind == "fifo":
        os.mkfifo(planted)
    else:
        planted.write_bytes(b"left by a crash")
    write_atomically(path, b"new", follow=follow)
    assert (outside.read_bytes(), path.read_bytes(), path.is_symlink()) == (b"mine", b"new", False)
    assert not planted.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
def test_a_pipe_gets_the_content_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(pipe, b"content", follow=True)
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]
