"""How findings look on a terminal: colours, letters, and nothing that acts."""

import io
import re
import sys

import click
import pytest

from cifar_dsl.cli.output import note, shown, status, wants_color
from cifar_dsl.language.diagnostics import Diagnostic, Label
from cifar_dsl.language.source import Source, Span

ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.TextIOWrapper):
    """What a command writes to; a terminal or not."""

    def __init__(self, encoding: str = "utf-8", *, is_terminal: bool = True) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="backslashreplace", write_through=True)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def text(self) -> str:
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def on_terminal(cli, wrong, monkeypatch):
    """What `check` writes about a wrong spec, given global options and a stream."""

    def run(*options: str, stream: Terminal, spec=wrong) -> str:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", stream)
            assert cli(*options, "check", spec).code == 1
        return stream.text()

    return run


@pytest.fixture(autouse=True)
def no_wishes(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("options", "no_color", "is_terminal", "colored"),
    [
        ((), "dumb", True, False),
        (("--color", "always"), "dumb", True, True),
        ((), None, True, True),
        ((), None, False, False),
        ((), "1", True, False),
        ((), "", True, True),  # an empty NO_COLOR is none, https://no-color.org
        (("--color", "auto"), None, True, True),
        (("--color", "always"), None, False, True),
        (("--color", "always"), "1", False, True),
        (("--color", "never"), None, True, False),
    ],
)
def test_colours(on_terminal, monkeypatch, options, no_color, is_terminal, colored):
    if no_color == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    elif no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    text = on_terminal(*options, stream=Terminal(is_terminal=is_terminal))
    assert bool(ANSI.search(text)) == colored
    plain = on_terminal("--color", "never", stream=Terminal())
    assert ANSI.sub("", text) == plain


def test_errors_of_other_commands_are_coloured_too(cli, wrong):
    outcome = cli("--color", "always", "show", wrong)
    assert "\x1b[1;31merror[E0201]\x1b[0m" in outcome.err
    assert "\x1b" not in cli("--color", "never", "show", wrong).err


def test_warnings_have_another_colour_than_errors(cli, make_spec):
    spec = make_spec("warned", "arch a\ninput 3x9x9\nmodel { maxpool(2) }\n")
    assert "\x1b[1;33mwarning[W0204]\x1b[0m" in cli("--color", "always", "check", spec).out


def test_formats_for_programs_have_no_colours(cli, wrong):
    for style in ("json", "sarif", "github", "concise"):
        assert "\x1b" not in cli("--color", "always", "check", "--format", style, wrong).out


def test_a_color_that_is_none_is_a_usage_error(cli):
    assert cli("--color", "blue", "check").code == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_letters_that_a_terminal_lacks_are_shown_by_number(on_terminal, make_spec, encoding):
    spec = make_spec("wide", "arch a\ninput 3x8x8\nmodel {\n    relu -> conv(8, 1) ; # 卷積\n}\n")
    text = on_terminal("--color", "never", stream=Terminal(encoding), spec=spec)
    assert "# \\u5377\\u7a4d\n" in text


def test_the_underline_stands_right_where_letters_are_shown_by_number(monkeypatch):
    text = 'arch a extends "卷é積" cnov'
    start = text.index("cnov")
    found = Diagnostic("E0201", "message", Label(Span(Source("a.arch", text), start, start + 4)))
    for encoding in ("ascii", "latin-1", "utf-8"):
        monkeypatch.setattr(sys, "stdout", Terminal(encoding, is_terminal=False))
        line, under = [line[4:] for line in shown(found).splitlines() if line[:4] in {"1 | ", "  | "}]
        wide = sum(character in "卷積" for character in line)
        assert under.index("^") == line.index("cnov") + wide


def test_brackets_are_no_markup(cli, make_spec):
    spec = make_spec("[bold]x", "arch a\ninput 3x8x8\nmodel { cnov([red](1)) } # [bold]\n")
    outcome = cli("check", "[[]bold*")
    assert "[bold]x.arch:3:" in outcome.out
    assert "# [bold]" in outcome.out
    assert spec.exists()


def test_a_long_line_is_cut_in_every_rendering(cli, make_spec):
    spec = make_spec("long", f"arch a\ninput 3x8x8\nmodel {{ {'relu -> ' * 40}cnov(8, 1) -> relu }}\n")
    outcome = cli("check", spec)
    line, under = [line for line in outcome.out.splitlines() if "cnov(8" in line or "^^^^" in line]
    assert len(line) < 180
    assert under.index("^") == line.index("cnov")


@pytest.mark.parametrize("style", ["full", "concise", "github"])
def test_names_of_files_do_not_act(cli, tmp_path, style):
    (tmp_path / "a\x1b[31m\u202e.arch").write_text("arch a\nmodel { cnov }\n")
    outcome = cli("check", "--format", style, tmp_path)
    assert outcome.code == 1
    assert not {"\x1b", "\u202e"} & set(outcome.out + outcome.err)
    assert "\\x1b[31m\\u202e.arch" in outcome.out


def test_names_of_right_files_do_not_act_either(cli, tmp_path, tiny):
    path = tmp_path / "a\x1b[31m.arch"
    path.write_bytes(tiny.read_bytes().replace(b"  ", b" "))
    for command in (("check",), ("fmt", "--check"), ("fmt", "--diff"), ("show", "--margin")):
        outcome = cli(*command, path)
        assert "\x1b" not in outcome.out + outcome.err
        assert "\\x1b[31m.arch" in outcome.out


def test_outside_of_a_command_a_stream_decides():
    assert click.get_current_context(silent=True) is None
    assert wants_color(Terminal())
    assert not wants_color(Terminal(is_terminal=False))


@pytest.mark.parametrize(("is_terminal", "term"), [(True, "xterm"), (True, "dumb"), (False, "xterm")])
def test_a_status_stands_on_a_terminal_until_the_next_output(monkeypatch, is_terminal, term):
    stream = Terminal(is_terminal=is_terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", term)
    status("reading")
    status("opening")
    note("done")
    shows = is_terminal and term != "dumb"
    expected = f"reading ...\r{' ' * 11}\ropening ...\r{' ' * 11}\r" if shows else ""
    assert stream.text() == f"{expected}done\n"
