"""Errors and warnings in the form of the protocol."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from helpers.editor import Editor, editor, uri_of
from helpers.specs import TRAIN, text_of
from lsprotocol.types import Diagnostic, DiagnosticSeverity, DiagnosticTag

from cifar_dsl.editors.language_server.diagnostics import diagnostics
from cifar_dsl.foundation.resources import diagnostics_path
from cifar_dsl.language.diagnostics import known_codes

HEAD = "flatten -> dense(10)"
CASES = Path(__file__).parents[2] / "language" / "diagnostics" / "cases"


def found(here: Editor) -> list[Diagnostic]:
    return diagnostics(here.documents, here.path)


def codes_and_texts(here: Editor) -> list[tuple[object, str]]:
    """The code and the underlined text of each diagnostic."""
    source = here.documents.source(here.path)
    assert source is not None
    offset = here.documents.positions.offset
    return [
        (one.code, source.text[offset(source.text, one.range.start) : offset(source.text, one.range.end)])
        for one in found(here)
    ]


def test_a_text_that_is_right() -> None:
    assert found(editor(text_of(HEAD))) == []


def test_errors_and_warnings() -> None:
    assert codes_and_texts(editor(text_of(f"cnv(8, 1) -> con(8)\n{HEAD}"))) == [("E0201", "cnv"), ("E0201", "con")]
    assert codes_and_texts(editor(text_of(HEAD, "param breadth = 8"))) == [("W0201", "breadth")]
    assert codes_and_texts(editor(text_of(HEAD) + "model {")) == [("E0102", "{")]


def test_the_message() -> None:
    (one,) = found(editor(text_of(f"add {{ conv(3, 1) | conv(4, 1) }}\n{HEAD}")))
    assert one.severity == DiagnosticSeverity.Error
    assert one.source == "cifar-dsl"
    lines = one.message.split("\n")
    assert lines[0] == "add needs branches of the same shape, or extents of 1: 3 channels and 4 don't fit"
    assert lines[1] == "this branch outputs 4x8x8"
    assert any(line.startswith("help: ") for line in lines)
    assert one.related_information is not None
    (related,) = one.related_information
    assert related.message == "this branch outputs 3x8x8"
    assert (related.location.uri, related.location.range.start.character) == (uri_of("test"), 6)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        (text_of(HEAD, "param breadth = 8"), [DiagnosticTag.Unnecessary]),
        (text_of(f"let y = conv(8, 1)\n{HEAD}"), [DiagnosticTag.Unnecessary]),
        (text_of(f"{HEAD}  # allow: W0203"), [DiagnosticTag.Unnecessary]),
        (text_of(f"conv(8, 1) -> bn\n{HEAD}"), None),
        (text_of("gone"), None),
    ],
)
def test_code_without_effect_is_faded(text: str, tags: list[DiagnosticTag] | None) -> None:
    (one,) = found(editor(text))
    assert one.tags == tags
    is_warning = str(one.code).startswith("W")
    assert one.severity == (DiagnosticSeverity.Warning if is_warning else DiagnosticSeverity.Error)


def test_every_code_links_to_its_section() -> None:
    page = diagnostics_path().read_text(encoding="utf-8").split("\n")
    reported: set[str] = set()
    for path in sorted(CASES.glob("*.arch")):
        for one in found(editor(path.read_bytes().decode(errors="replace"))):
            reported.add(str(one.code))
            assert one.code_description is not None, path
            address = urlsplit(one.code_description.href)
            assert Path(address.path) == diagnostics_path(), path
            head = page[int(address.fragment.removeprefix("L")) - 1]
            assert head == f"## {one.code}: {known_codes()[str(one.code)].title}", path
    assert len(reported) > 80


# ---- other files


def test_errors_of_a_base_are_shown_where_it_is_named() -> None:
    base = text_of(f"cnv(8, 1) -> con(8)\n{HEAD}")
    (one,) = found(editor('arch test extends "base.arch"\n', base=base))
    assert one.code == "E0201"
    assert one.message.startswith("in base.arch: unknown layer or block `cnv`, and 1 more")
    assert (one.range.start.line, one.range.start.character, one.range.end.character) == (0, 18, 29)
    assert one.related_information is not None
    assert [(each.location.uri, each.location.range.start.line, each.message) for each in one.related_information] == [
        (uri_of("base"), 4, "unknown layer or block `cnv`"),
        (uri_of("base"), 4, "unknown layer or block `con`"),
    ]


def test_a_base_that_does_not_parse() -> None:
    (one,) = found(editor('arch test extends "base.arch"\n', base="arch base\nmodel {"))
    assert one.message.startswith("in base.arch: this `{` is never closed")


def test_warnings_of_a_base_are_shown_in_the_base() -> None:
    base = text_of(HEAD, "param breadth = 8")
    assert found(editor('arch test extends "base.arch"\n', base=base)) == []


def test_errors_in_a_library_block_are_shown_at_the_call() -> None:
    here = editor(text_of(f"flatten -> basic_block(8)\n{HEAD}"))
    first, *_ = found(here)
    assert codes_and_texts(here)[0] == ("E0306", "basic_block(8)")
    assert first.related_information is not None
    assert first.related_information[0].location.uri.endswith("/library/residual.arch")


def test_paths_are_relative_to_the_workspace() -> None:
    here = editor(text_of(f"unit(8)\n{HEAD}", "block unit(c) { flatten -> conv(c, 1) }"))
    (one,) = found(here)
    assert "in `unit(8)`, called at test.arch:5:1" in one.message
    (gone,) = found(editor('arch test extends "inner/gone.arch"\n'))
    assert gone.message.startswith("file not found: inner/gone.arch")


def test_a_missing_file() -> None:
    here = editor("arch test\n")
    (one,) = diagnostics(here.documents, here.path_of("gone"))
    assert (one.code, one.range.start.line, one.range.start.character) == ("E0105", 0, 0)


def test_settings_of_a_base_that_are_invalid_here() -> None:
    base = text_of(f"let y = dense(3)\n{HEAD}".replace("let y = dense(3)\n", ""), size="3x32x32") + TRAIN
    (one,) = found(editor('arch test extends "base.arch"\nmodel { flatten -> dense(3) }\n', base=base))
    assert one.code == "E0406"
    assert one.related_information is not None
    assert one.related_information[0].location.uri == uri_of("base")


def test_control_characters_are_escaped() -> None:
    (one,) = found(editor(text_of("relu \u202e bn")))
    assert "\u202e" not in one.message
