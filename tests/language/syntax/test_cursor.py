"""The open brackets at a place in any text."""

import pytest

from cifar_dsl.language.syntax.cursor import Frame, keywords_after, open_frames, tokens_of

HEAD = "arch a\ninput 3x8x8\n"
CURSOR = "§"


def kinds(text: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokens_of(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a->b", [("name", "a"), ("sign", "->"), ("name", "b")]),
        ("0..5", [("number", "0"), ("sign", ".."), ("number", "5")]),
        ("3x32x32", [("number", "3x32x32")]),
        ("1.5M", [("number", "1.5M")]),
        ("a==b", [("name", "a"), ("sign", "=="), ("name", "b")]),
        ("x # a -> b\ny", [("name", "x"), ("comment", "# a -> b"), ("line", "\n"), ("name", "y")]),
        ('extends "a # b"', [("name", "extends"), ("string", '"a # b"')]),
        ('"open\nx', [("string", '"open'), ("line", "\n"), ("name", "x")]),
        ("€ ;", [("sign", "€"), ("sign", ";")]),
    ],
)
def test_tokens(text: str, expected: list[tuple[str, str]]) -> None:
    assert kinds(text) == expected


def test_token_offsets() -> None:
    text = "  conv(32, 3)  # why\n"
    assert all(text[token.start : token.end] == token.text for token in tokens_of(text))


def test_tokens_before_an_offset() -> None:
    assert [token.text for token in tokens_of("conv(32, 3)", 7)] == ["conv", "(", "32"]


# ---- frames


def opened(text: str) -> list[Frame]:
    return open_frames(text, text.index(CURSOR))


def frames(text: str) -> list[tuple[str, str]]:
    return [(frame.kind, frame.head.text if frame.head else "") for frame in opened(text)]


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
        ("block unit(c: int) { §", [("file", ""), ("body", "")]),
        ("train { §", [("file", ""), ("train", "")]),
        ("train { group g { §", [("file", ""), ("train", ""), ("group", "")]),
        ("train { optimizer sgd(§", [("file", ""), ("train", ""), ("call", "sgd")]),
        ("model { relu }\n§", [("file", "")]),
        # An item closes all open brackets.
        ("model { conv(3, add {\n§", [("file", ""), ("body", ""), ("call", "conv"), ("body", "")]),
        ("model { conv(3, add {\nblock unit() { §", [("file", ""), ("body", "")]),
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
def test_the_unfinished_line(text: str, expected: str) -> None:
    assert " ".join(opened(HEAD + text)[-1].words) == expected


@pytest.mark.parametrize(
    ("text", "keywords", "position"),
    [
        ("model { conv(§", [], 0),
        ("model { conv(8, §", [], 1),
        ("model { conv(8, f(1, 2), pad=1, bias=§", ["pad", "bias"], 3),
        ("model { conv(8, x == 3, §", [], 2),
    ],
)
def test_the_arguments_before_the_cursor(text: str, keywords: list[str], position: int) -> None:
    frame = opened(HEAD + text)[-1]
    assert (frame.keywords, frame.position) == (keywords, position)


def test_the_settings_before_the_cursor() -> None:
    text = f"{HEAD}train {{\n data x\n optimizer.lr 3\n group g {{\n select bias\n epochs 1\n §"
    assert [frame.keywords for frame in opened(text)] == [[], ["data"], ["select", "epochs"]]


@pytest.mark.parametrize(
    ("behind", "expected"),
    [(", pad=1) -> relu(x=2)", ["pad"]), ("f(x=1), pad=1", ["pad"]), (")", []), (" == 3, a=[b], c=1", ["a", "c"])],
)
def test_the_arguments_after_the_cursor(behind: str, expected: list[str]) -> None:
    assert list(keywords_after(behind)) == expected
