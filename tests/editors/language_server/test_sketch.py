"""What a text defines and where a place in it stands, whether it parses or not."""

import pytest
from helpers.editor import CURSOR

from cifar_dsl.editors.language_server.sketch import Frame, Sketch

HEAD = "arch a\ninput 3x8x8\n"


def sketch(text: str) -> Sketch:
    return Sketch.of(text, text.index(CURSOR)) if CURSOR in text else Sketch.of(text)


def frames(text: str) -> list[tuple[str, str]]:
    return [(frame.kind, frame.owner) for frame in sketch(text).frames]


def line(frame: Frame) -> str:
    return " ".join(token.text for token in frame.line)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CURSOR, [("file", "")]),
        ("model { §", [("file", ""), ("body", "")]),
        ("model { conv(3, §", [("file", ""), ("body", ""), ("call", "conv")]),
        ("model { conv(3, init=normal(§", [("file", ""), ("body", ""), ("call", "conv"), ("call", "normal")]),
        ("model { conv(3, [§", [("file", ""), ("body", ""), ("call", "conv"), ("brackets", "")]),
        ("model { for c in (§", [("file", ""), ("body", ""), ("brackets", "")]),
        ("model { add { relu | §", [("file", ""), ("body", ""), ("body", "")]),
        ("model { add { relu } -> §", [("file", ""), ("body", "")]),
        ("block unit(§", [("file", ""), ("parameters", "unit")]),
        ("block unit(c: int) { §", [("file", ""), ("body", "unit")]),
        ("train { §", [("file", ""), ("train", "")]),
        ("train { group g { §", [("file", ""), ("train", ""), ("group", "")]),
        ("train { optimizer sgd(§", [("file", ""), ("train", ""), ("call", "sgd")]),
        ("model { relu }\n§", [("file", "")]),
        # Brackets that are left open end where an item begins.
        ("model { conv(3, add {\n§", [("file", ""), ("body", ""), ("call", "conv"), ("body", "")]),
        ("model { conv(3, add {\nblock unit() { §", [("file", ""), ("body", "unit")]),
        ("model { conv(3 }\n§", [("file", "")]),
        ("model { relu }}}}\ntrain { §", [("file", ""), ("train", "")]),
        ("model { relu } ) ] §", [("file", "")]),
    ],
)
def test_the_brackets_around_a_place(text: str, expected: list[tuple[str, str]]) -> None:
    assert frames(HEAD + text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model { conv(3) -> §", "conv ( 3 ) ->"),
        ("model { conv(3)\n§", ""),
        ("model { conv(3) ->\n§", "conv ( 3 ) ->"),
        ("model { add { relu | bn § } }", "bn"),
        ("model { let y = conv(f(3), §", ""),
        ("model { conv(3, pad=§", "pad ="),
        ("train {\n data x\n optimizer.lr §", "optimizer . lr"),
        ("param x = §", "param x ="),
        ("param x =\n§", "param x ="),
    ],
)
def test_the_line_so_far(text: str, expected: str) -> None:
    assert line(sketch(HEAD + text).innermost) == expected


@pytest.mark.parametrize(
    ("text", "keywords", "position"),
    [
        ("model { conv(§", [], 0),
        ("model { conv(8, §", [], 1),
        ("model { conv(8, f(1, 2), pad=1, bias=§", ["pad", "bias"], 3),
        ("model { conv(8, x == 3, §", [], 2),
    ],
)
def test_arguments_so_far(text: str, keywords: list[str], position: int) -> None:
    frame = sketch(HEAD + text).innermost
    assert (frame.keywords, frame.position) == (keywords, position)


def test_definitions() -> None:
    text = f"""{HEAD}
# How wide.
param width = 8
# Convolves.
block unit(c: int, stride: int = 1, norm: none | before = none, act=relu) {{ conv(c, 3, stride) }}
param = 3
block {{ }}
model {{ unit(width
"""
    names = sketch(text).names
    assert list(names) == ["width", "unit"]
    assert (names["width"].kind, names["width"].text, names["width"].doc) == ("param", "param width = 8", "How wide.")
    unit = names["unit"]
    assert (unit.kind, unit.doc, text[unit.start :][:4]) == ("block", "Convolves.", "unit")
    assert unit.text.startswith("block unit(")
    assert unit.text.endswith("act=relu)")
    found = [(one.name, one.types, one.default, text[one.start :][: len(one.name)]) for one in unit.parameters]
    assert found == [
        ("c", ("int",), "", "c"),
        ("stride", ("int",), "1", "stride"),
        ("norm", ("none", "before"), "none", "norm"),
        ("act", (), "relu", "act"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("block unit(c, k) { let y = relu\n§ }", ["c", "k", "y"]),
        ("block unit(c, k=§", ["c"]),
        ("model { for (a, b) in [(1, 2)] { let y = §", ["a", "b"]),
        ("model { add { let y = relu\nbn | let z = bn\n§", ["y", "z"]),
        ("model { repeat 2 { let y = relu }\n§", []),
        ("model { let y = relu }\nmodel { §", []),
    ],
)
def test_names_of_bodies(text: str, expected: list[str]) -> None:
    assert list(sketch(HEAD + text).local_names()) == expected


def test_settings() -> None:
    text = f"{HEAD}train {{\n data cifar10\n augment crop(4, mode=zeros) -> flip\n optimizer.lr 3\n loss\n}}"
    assert sketch(text).settings == {"data": ["cifar10"], "augment": ["crop", "mode", "zeros", "flip"], "loss": []}
    group = f"{HEAD}train {{\n data x\n group g {{\n select bias\n epochs 1\n §"
    assert sketch(group).innermost.keywords == ["select", "epochs"]
