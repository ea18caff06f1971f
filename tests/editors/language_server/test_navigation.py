"""Definitions, references and highlights, across files."""

import pytest
from helpers.editor import Editor, editor
from helpers.specs import text_of
from lsprotocol.types import DocumentHighlightKind, Location

from cifar_dsl.editors.language_server.navigation import definition, highlights, references
from cifar_dsl.foundation.resources import shipped_specs

BASE = text_of("unit(width) -> flatten -> dense(10)", "param width = 8\nblock unit(c: int) { conv(c, 1) }")


def described(here: Editor, location: Location) -> tuple[str, int, str]:
    """File, line from 1, and the text of a location."""
    path = here.documents.path(location.uri)
    source = here.documents.source(path)
    assert source is not None
    positions = here.documents.positions
    start, end = (positions.offset(source.text, place) for place in (location.range.start, location.range.end))
    return path.stem, location.range.start.line + 1, source.text[start:end]


def defined(text: str, **others: str) -> tuple[str, int, str] | None:
    here = editor(text, **others)
    found = definition(*here)
    return described(here, found) if found else None


def mentioned(text: str, *, include_definitions: bool = True, **others: str) -> list[tuple[str, int, str]]:
    here = editor(text, **others)
    return [described(here, one) for one in references(*here, include_definitions=include_definitions)]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("un§it(width) -> flatten", ("test", 4, "unit")),
        ("unit(wi§dth) -> flatten", ("test", 3, "width")),
        ("unit(§c=8) -> flatten", ("test", 4, "c")),
        ("let y = conv(8, 1)\n§y -> flatten", ("test", 6, "y")),
        ("let §y = conv(8, 1)\ny -> flatten", ("test", 6, "y")),
        ("for k in [1, 3] { conv(8, §k) }", ("test", 6, "k")),
        ("con§v(8, 1)", None),
        ("conv(8, §kernel=1)", None),
        ("conv(8, 1, pad=sa§me)", None),
    ],
)
@pytest.mark.parametrize("broken", ["", "\nmodel { (("])
def test_definitions_in_one_file(model: str, expected: tuple[str, int, str] | None, broken: str) -> None:
    items = "param width = 8\nblock unit(c: int) { conv(c, 1) }"
    found = defined(text_of(model, items) + broken)
    if broken and expected and found and expected[2] in {"y", "k"}:
        found = (*found[:2], expected[2])  # where it begins is all that is known
    assert found == expected


@pytest.mark.parametrize("broken", ["", "\nmodel { (("])
@pytest.mark.parametrize("call", ["basic_§block(8)", "basic_block(8, str§ide=2)"])
def test_definitions_in_the_library(call: str, broken: str) -> None:
    found = defined(text_of(call) + broken)
    assert found is not None
    assert found == ("residual", found[1], "stride" if "=" in call else "basic_block")


def test_definitions_in_bases() -> None:
    derived = 'arch test extends "middle.arch"\nmodel { un§it(2 * width) -> flatten -> dense(10) }\n'
    middle = 'arch middle extends "base.arch"\nparam width = 9\n'
    assert defined(derived, middle=middle, base=BASE) == ("base", 4, "unit")
    derived = derived.replace("§", "").replace("width", "wi§dth")
    assert defined(derived, middle=middle, base=BASE) == ("middle", 2, "width")
    assert defined(derived, middle=middle + "model {", base=BASE) == ("middle", 2, "width")


def test_the_definition_of_a_base_is_its_file() -> None:
    here = editor('arch test extends "ba§se.arch"\n', base=BASE)
    found = definition(*here)
    assert found is not None
    assert found.uri == here.documents.uri(here.path_of("base"))
    shipped = definition(*editor("arch test extends base§line\n"))
    assert shipped is not None
    assert shipped.uri == shipped_specs()["baseline"].as_uri()
    assert definition(*editor('arch test extends "gone.ar§ch"\n')) is not None  # where it would be
    assert definition(*editor("arch test extends go§ne\n")) is None


def test_mentions_across_files() -> None:
    text = BASE.replace("param width", "param wi§dth")
    derived = 'arch derived extends "test.arch"\nparam width = 16\nblock unit(c: int) { conv(width, c) }\n'
    other = text_of("conv(width, 1)", "param width = 1")
    expected = [("test", 3, "width"), ("test", 6, "width"), ("derived", 2, "width"), ("derived", 3, "width")]
    assert sorted(mentioned(text, derived=derived, other=other)) == sorted(expected)
    uses = [expected[1], expected[3]]
    assert sorted(mentioned(text, include_definitions=False, derived=derived, other=other)) == sorted(uses)
    # The same from the file that extends.
    asked = derived.replace("conv(width", "conv(wid§th").replace("test.arch", "base.arch")
    found = mentioned(asked, base=BASE, other=other)
    assert sorted(place for place, *_ in found) == ["base", "base", "test", "test"]


def test_siblings_without_a_common_base_share_no_names() -> None:
    one = 'arch one extends "base.arch"\nblock own() { relu }\nmodel { own -> flatten -> dense(10) }\n'
    text = one.replace("arch one", "arch test").replace("block own", "block o§wn")
    assert [place for place, *_ in mentioned(text, one=one, base=BASE)] == ["test", "test"]


def test_mentions_of_a_parameter() -> None:
    derived = 'arch derived extends "test.arch"\nmodel { unit(c=3) -> flatten -> dense(10) }\n'
    text = BASE.replace("unit(c: int)", "unit(§c: int)")
    assert mentioned(text, derived=derived) == [("test", 4, "c"), ("test", 4, "c"), ("derived", 2, "c")]


def test_mentions_of_a_library_block() -> None:
    own = text_of("basic_block(8)", "block basic_block(c: int) { conv(c, 1) }")
    found = mentioned(text_of("basic_bl§ock(8)"), own=own, other=text_of("basic_block(8) -> basic_block(8)"))
    assert sorted(place for place, *_ in found) == ["other", "other", "residual", "test"]


def test_words_of_the_language_have_references_in_one_file() -> None:
    other = text_of("conv(8, 1, pad=same)")
    assert mentioned(text_of("con§v(8, 1) -> conv(8, 1)"), other=other) == [("test", 5, "conv")] * 2
    assert mentioned(text_of("conv(8, 1, pad=sa§me)"), other=other) == [("test", 5, "same")]


def test_a_name_with_two_meanings() -> None:
    text = text_of("conv(weight, 1, frozen=weight)\ndepthwise(depthwise)", "param weight = 3\nparam depthwise = 3")
    asked = text.replace("(weight", "(wei§ght")
    assert mentioned(asked) == [("test", 3, "weight"), ("test", 6, "weight")]
    assert mentioned(text.replace("=weight", "=wei§ght")) == [("test", 6, "weight")]
    assert defined(text.replace("(depthwise", "(depth§wise")) == ("test", 4, "depthwise")
    found = defined(text.replace("depthwise(", "depth§wise("))
    assert found is not None
    assert (found[0], found[2]) == ("convolution", "depthwise")


def test_highlights() -> None:
    found = highlights(*editor(text_of("let y = relu\n§y -> bn\ny -> flatten")))
    assert [(one.range.start.line, one.kind) for one in found] == [
        (4, DocumentHighlightKind.Write),
        (5, DocumentHighlightKind.Read),
        (6, DocumentHighlightKind.Read),
    ]
    assert highlights(*editor(text_of("relu\n§"))) == []


def test_a_missing_file_has_no_names() -> None:
    here = editor("arch a\n")
    gone = here.path_of("gone")
    assert definition(here.documents, gone, 0) is None
    assert references(here.documents, gone, 0, include_definitions=True) == []
    assert highlights(here.documents, gone, 0) == []
