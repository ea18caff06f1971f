"""Document formatting."""

from pathlib import Path

import pytest
from helpers.editor import editor, put_in
from helpers.specs import text_of
from lsprotocol import types

from cifar_dsl.editors.language_server.editing import changed_lines
from cifar_dsl.editors.language_server.formatting import formatting, range_formatting
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.formatter import format_text

SHIPPED = sorted(specs_directory().rglob("*.arch"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_layout_of_the_formatter(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("    ", "  ").replace(" -> ", "->")
    here = editor(text)
    edits = formatting(here.documents, here.path)
    assert put_in(text, edits) == format_text(Source("test.arch", text))
    assert formatting(*list(editor(put_in(text, edits)))[:2]) == []


def test_only_differing_lines_are_changed() -> None:
    text = text_of("    conv(8,1)\n    flatten -> dense(10)").replace("\n\n", "\n\n")
    (edit,) = formatting(*list(editor(text))[:2])
    assert edit.range.start.line == 4 - 1 or edit.new_text == "    conv(8, 1)\n"


def test_a_text_that_does_not_parse_is_not_formatted_and_says_so() -> None:
    with pytest.raises(UserError, match=r"^not formatted: line 2: "):
        formatting(*list(editor("arch a\nmodel {  relu"))[:2])


def test_lines_between_changes_are_kept() -> None:
    text = "arch a\n\nmodel {\n    conv(8,1)\n    relu\n    flatten->dense(10)\n}\n"
    here = editor(text)
    edits = formatting(here.documents, here.path)
    assert [edit.new_text for edit in edits] == ["    conv(8, 1)\n", "    flatten -> dense(10)\n"]
    assert put_in(text, edits) == format_text(Source("test.arch", text))


@pytest.mark.parametrize(
    ("first", "last", "changed"), [(3, 3, 1), (5, 5, 1), (4, 4, 0), (3, 5, 2), (0, 2, 0), (0, 99, 2)]
)
def test_a_range_is_formatted_without_the_other_lines(first: int, last: int, changed: int) -> None:
    text = "arch a\n\nmodel {\n    conv(8,1)\n    relu\n    flatten->dense(10)\n}\n"
    here = editor(text)
    wanted = types.Range(types.Position(first, 0), types.Position(last, 5))
    edits = range_formatting(here.documents, here.path, wanted)
    assert len(edits) == changed
    assert all(first <= edit.range.start.line <= last for edit in edits)


def test_a_range_that_ends_at_the_start_of_a_line_is_without_it() -> None:
    here = editor("arch a\n\nmodel {\n    conv(8,1)\n    relu\n    flatten->dense(10)\n}\n")
    whole_lines = types.Range(types.Position(3, 0), types.Position(5, 0))
    (edit,) = range_formatting(here.documents, here.path, whole_lines)
    assert edit.new_text == "    conv(8, 1)\n"


@pytest.mark.parametrize("lines", [10, 1200])
def test_any_number_of_changed_lines(lines: int) -> None:
    old, new = ("".join(f"{mark}{i % 7}\n" for i in range(lines)) for mark in "ab")
    old, new = f"x\n{old}y\n{old}z\n", f"x\n{new}y\n{new}z\n"
    source = Source("x", old)
    edits = changed_lines(source, new)
    assert len(edits) == (2 if lines == 10 else 1)
    for edit in reversed(edits):
        old = old[: edit.span.start] + edit.replacement + old[edit.span.end :]
    assert old == new


def test_edits_keep_line_endings() -> None:
    here = editor(text_of("conv(8,1)\nflatten").replace("\n", "\r\n"))
    edits = formatting(here.documents, here.path)
    assert edits
    assert all("\n" not in edit.new_text.replace("\r\n", "") for edit in edits)


def test_a_missing_file() -> None:
    here = editor("arch a\n")
    assert formatting(here.documents, here.path_of("gone")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a\nb\nc\n", "a\nB\nc\n"),
        ("a\nb\nc\n", "a\nc\n"),
        ("a\nc\n", "a\nb\nc\n"),
        ("a\na\na\n", "a\na\n"),
        ("a\na\n", "a\na\na\n"),
        ("", "a\n"),
        ("a\n", ""),
        ("a", "a\n"),
        ("a\nb", "a\nb\n"),
        ("a\r\nb\u2028c\n", "a\nb\u2028c\n"),
    ],
)
def test_differences(old: str, new: str) -> None:
    (edit,) = changed_lines(Source("x", old), new)
    assert old[: edit.span.start] + edit.replacement + old[edit.span.end :] == new
    assert changed_lines(Source("x", old), old) == []
