"""Shapes and parameter counts at the ends of lines."""

import pytest
from helpers.editor import Editor, editor, put_in, uri_of
from helpers.specs import text_of
from lsprotocol.types import InlayHint, Position, Range

from cifar_dsl.editors.language_server.inlay_hints import inlay_hints
from cifar_dsl.editors.language_server.positions import Positions

EVERYWHERE = Range(Position(0, 0), Position(10_000, 0))
MODEL = """\
unit(8)                   # first
unit(16) -> maxpool(2)
add {
    conv(16, 1)
  | identity
}
flatten -> dense(10)"""
TEXT = text_of(MODEL, "block unit(c: int) {\n    conv(c, 1) -> relu\n}")


def hints(here: Editor, wanted: Range = EVERYWHERE) -> list[InlayHint]:
    return inlay_hints(here.documents, here.path, wanted)


def labels(here: Editor) -> dict[str, str]:
    """The hints by the text before them on their lines."""
    lines = here.text().split("\n")
    return {lines[hint.position.line][: hint.position.character].strip(): str(hint.label) for hint in hints(here)}


def test_lines_of_a_model() -> None:
    assert labels(editor(TEXT)) == {
        "conv(c, 1) -> relu": ": 8x8x8 ... 16x8x8, 176 params",
        "unit(8)": ": 8x8x8, 32 params",
        "unit(16) -> maxpool(2)": ": 16x4x4, 144 params",
        "conv(16, 1)": ": 16x4x4, 272 params",
        "| identity": ": 16x4x4",
        "}": ": 16x4x4",
        "flatten -> dense(10)": ": 10, 2,570 params",
    }


def test_a_range() -> None:
    found = hints(editor(TEXT), Range(Position(6, 0), Position(7, 0)))
    assert [hint.position.line for hint in found] == [6, 7]


def test_the_tooltip() -> None:
    tooltips = {str(hint.label): hint.tooltip for hint in hints(editor(TEXT))}
    assert (
        tooltips[": 8x8x8 ... 16x8x8, 176 params"]
        == "2 times: 8x8x8 ... 16x8x8; 176 parameters, 9.73 k multiply-accumulates"
    )


@pytest.mark.parametrize(
    ("model", "after"),
    [
        ("conv(8, 1)", "conv(8, 1) : 8x8x8"),
        ("conv(8, 1) as first  # why", "conv(8, 1) as first : 8x8x8  # why"),
        ("add { relu | bn }", "add { relu | bn } : 3x8x8"),
        ("let y = conv(8, 1)", "let y = conv(8, 1) : 8x8x8"),
        ("repeat 2 { conv(8, 1)\n}", "repeat 2 { conv(8, 1) : 8x8x8\n}"),
    ],
)
def test_a_hint_becomes_a_claim(model: str, after: str) -> None:
    text = text_of(f"{model}\nflatten")
    here = editor(text)
    hint, *_ = hints(here)
    assert hint.text_edits is not None
    assert put_in(text, list(hint.text_edits)) == text_of(f"{after}\nflatten")
    here.documents.put(uri_of("test"), text_of(f"{after}\nflatten"))
    assert here.documents.inspection(here.path).found is not None


def test_different_or_claimed_shapes_offer_no_claim() -> None:
    differing = hints(editor(text_of("for c in [8, 16] { conv(c, 1) }")))
    assert [(hint.label, hint.text_edits) for hint in differing] == [(": 8x8x8 ... 16x8x8, 176 params", None)]
    claimed = hints(editor(text_of("conv(8, 1) : 8x8x8\nrelu : 8x8x8")))
    assert [(hint.label, hint.text_edits) for hint in claimed] == [("32 params", None)]


def test_a_text_with_errors_keeps_the_hints_of_other_lines() -> None:
    here = editor(TEXT)
    before = labels(here)
    here.documents.put(uri_of("test"), TEXT.replace("unit(8)", "# more\nunit(8").replace("# first", ""))
    after = labels(here)
    assert after == {line: label for line, label in before.items() if line != "unit(8)"}
    assert not any(hint.text_edits for hint in hints(here))
    here.documents.put(uri_of("test"), TEXT)
    assert labels(here) == before


def test_texts_that_were_never_valid() -> None:
    assert hints(editor("model {")) == []
    assert hints(editor("library a\nblock unit() { relu }\n")) == []
    here = editor(TEXT)
    assert inlay_hints(here.documents, here.path_of("gone"), EVERYWHERE) == []


def test_hints_of_a_base_stay_there() -> None:
    here = editor('arch test extends "base.arch"\nblock unit(c: int) { conv(c, 3, pad=1) }\n', base=TEXT)
    assert list(labels(here).values()) == [": 8x8x8 ... 16x8x8, 1,392 params"]


def test_columns_are_in_the_agreed_encoding() -> None:
    text = text_of("conv(8, 1) # \U0001d538\nadd { relu | bn } -> relu")
    for encoding in ("utf-8", "utf-16", "utf-32"):
        here = editor(text)
        here.documents.positions = Positions(encoding)
        assert [hint.position.character for hint in hints(here)] == [10, 25]
