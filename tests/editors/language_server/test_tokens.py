"""Texts as tokens, however wrong they are."""

import pytest

from cifar_dsl.editors.language_server.tokens import comment_above, split, tokens_of


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


def test_places() -> None:
    text = "  conv(32, 3)  # why\n"
    assert all(text[token.start : token.end] == token.text for token in tokens_of(text))


def test_a_part_of_a_text() -> None:
    assert [token.text for token in tokens_of("conv(32, 3)", 7)] == ["conv", "(", "32"]


def test_split_leaves_brackets_whole() -> None:
    parts = split(tokens_of("a, f(b, c), [d, e]"), ",")
    assert ["".join(token.text for token in part) for part in parts] == ["a", "f(b,c)", "[d,e]"]


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        ("", ""),
        ("# one\n", "one"),
        ("# one\n  #two\n", "one two"),
        ("# one\n\n", ""),
        ("x\n# one\n", "one"),
        ("x  # beside\n", ""),
        ("# one\n# allow: W0203 (reason)\n", "one"),
    ],
)
def test_comments_above_a_line(above: str, expected: str) -> None:
    text = f"{above}block unit() {{ relu }}"
    assert comment_above(text, text.index("unit")) == expected
