"""Comments above a place in a text."""

import pytest

from cifar_dsl.language.source import comment_above


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
