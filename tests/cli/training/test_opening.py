"""`--open` shows a file in the browser, and never fails silently."""

import sys
import webbrowser

import pytest

from cifar_dsl.cli.opening import open_in_browser


@pytest.fixture
def opened(monkeypatch):
    uris: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda uri: uris.append(uri) or True)
    monkeypatch.setenv("DISPLAY", ":0")
    return uris


def test_the_browser_gets_the_file(opened, tmp_path, capsys):
    assert open_in_browser(tmp_path / "a b.html")
    assert opened == [(tmp_path / "a b.html").as_uri()]
    assert "opened" in capsys.readouterr().err


def test_without_a_browser_there_is_a_warning(opened, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    assert not open_in_browser(tmp_path / "a.html")
    assert f"open {(tmp_path / 'a.html').as_uri()} in a browser" in capsys.readouterr().err


def test_an_error_of_the_browser_is_a_warning(opened, monkeypatch, tmp_path, capsys):
    def fail(_: str) -> bool:
        raise webbrowser.Error("none")

    monkeypatch.setattr(webbrowser, "open", fail)
    assert not open_in_browser(tmp_path / "a.html")
    assert "warning: " in capsys.readouterr().err


def test_without_a_display_nothing_takes_over_the_terminal(opened, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    assert not open_in_browser(tmp_path / "a.html")
    assert opened == []
    assert "there is no display" in capsys.readouterr().err


def test_what_is_not_written_can_not_be_opened(cli, tiny):
    assert "--open can't be combined with --no-report" in cli("compare", tiny, "--open", "--no-report").err
    assert "--open requires --html" in cli("evaluate", "runs/x", "--open").err
