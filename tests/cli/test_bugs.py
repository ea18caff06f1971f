"""A bug of ours: its own exit code, the whole traceback, and a file for the report."""

import errno
from pathlib import Path

import pytest

from cifar_dsl.cli import bugs, check


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folders for reports."""
    monkeypatch.setattr("platformdirs.user_state_path", lambda *_, **__: tmp_path / "state")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "temporary"))
    return tmp_path / "state" / "bugs"


@pytest.fixture(autouse=True)
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("something")

    monkeypatch.setattr(check, "inspect", fail)


def test_a_bug_ends_with_101_and_a_file_for_the_report(cli, tiny, state):
    outcome = cli("check", tiny, "--set", "a b=1")
    assert (outcome.code, outcome.out) == (101, "")
    assert "Traceback" in outcome.err
    assert "ZeroDivisionError: something" in outcome.err
    assert "this is a bug in cifar-dsl, not in your spec" in outcome.err
    (path,) = state.iterdir()
    assert str(path) in outcome.err
    text = path.read_text(encoding="utf-8")
    assert f"command: cifar-dsl check {tiny} --set 'a b=1'" in text
    assert tiny.read_text(encoding="utf-8").rstrip() in text
    assert "ZeroDivisionError: something" in text
    for name in ("cifar-dsl: ", "python: ", "system: ", "torch: ", "lark: "):
        assert f"\n{name}" in text


def test_the_home_folder_is_not_in_the_report(cli, make_spec, state, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    cli("check", make_spec())
    text = next(state.iterdir()).read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert "check ~/tiny.arch" in text


def test_a_second_bug_does_not_replace_the_first_report(cli, tiny, state):
    cli("check", tiny)
    cli("check", tiny)
    assert len(list(state.iterdir())) == 2


def test_where_the_state_folder_is_none_the_temporary_one_serves(cli, tiny, state, tmp_path):
    (tmp_path / "state").write_text("a file")
    outcome = cli("check", tiny)
    (path,) = (tmp_path / "temporary").iterdir()
    assert str(path) in outcome.err


def test_without_a_temporary_folder_the_state_folder_serves(cli, tiny, state, monkeypatch):
    def none() -> str:
        raise FileNotFoundError

    monkeypatch.setattr("tempfile.gettempdir", none)
    assert cli("check", tiny).code == 101
    assert len(list(state.iterdir())) == 1


def test_a_full_disk_loses_the_file_and_not_the_bug(cli, tiny, state, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("cifar_dsl.foundation.atomic.write_atomically", full)
    outcome = cli("check", tiny)
    assert outcome.code == 101
    assert "ZeroDivisionError: something" in outcome.err
    assert outcome.err.endswith("with the output above (no file could be written)\n")


def test_a_bug_in_the_report_hides_nothing(cli, tiny, state, monkeypatch):
    monkeypatch.setattr(bugs, "_text", lambda *_: 1 / 0)
    outcome = cli("check", tiny)
    assert outcome.code == 101
    assert "ZeroDivisionError: something" in outcome.err


def test_a_spec_that_is_no_text_is_in_the_report_too(cli, tmp_path, state):
    (tmp_path / "odd.arch").write_bytes(b"arch \xff\x00\n")
    cli("check", tmp_path / "odd.arch")
    assert "arch \\xff" in next(state.iterdir()).read_text(encoding="utf-8")
