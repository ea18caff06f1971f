"""Offsets to positions and back, in each encoding of the protocol."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol.types import Position, Range

from cifar_dsl.editors.language_server.positions import Positions, plain
from cifar_dsl.language.source import Source, Span

ENCODINGS = ("utf-8", "utf-16", "utf-32")
# One, two, three and four bytes; the last takes two units of UTF-16.
TEXT = "ab\né€x\n\U0001d538y\n"


@pytest.mark.parametrize(
    ("encoding", "characters"),
    [
        ("utf-8", [0, 1, 2, 0, 2, 5, 6, 0, 4, 5, 0]),
        ("utf-16", [0, 1, 2, 0, 1, 2, 3, 0, 2, 3, 0]),
        ("utf-32", [0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 0]),
    ],
)
def test_positions_of_all_characters(encoding: str, characters: list[int]) -> None:
    positions = Positions(encoding)
    found = [positions.position(TEXT, offset) for offset in range(len(TEXT) + 1)]
    assert [position.line for position in found] == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3]
    assert [position.character for position in found] == characters


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=st.text("ab\n\ré€\U0001d538\u2028\f").map(plain))
def test_offsets_round_trip(encoding: str, text: str) -> None:
    positions = Positions(encoding)
    for offset in range(len(text) + 1):
        assert positions.offset(text, positions.position(text, offset)) == offset


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=st.text("ab\n\ré\U0001d538").map(plain), line=st.integers(0, 9), character=st.integers(0, 9))
def test_every_position_has_an_offset_at_or_before_it(encoding: str, text: str, line: int, character: int) -> None:
    positions = Positions(encoding)
    offset = positions.offset(text, Position(line, character))
    assert positions.position(text, offset) <= Position(line, character) or offset == len(text)


def test_a_lone_carriage_return_ends_a_line() -> None:
    assert Positions().position("a\rb", 2) == Position(1, 0)


def test_other_line_separators_end_no_line() -> None:
    assert Positions().position("a\u2028b\fc", 4) == Position(0, 4)


def test_ranges() -> None:
    source = Source("x", TEXT)
    assert Positions("utf-16").range(Span(source, 4, 9)) == Range(Position(1, 1), Position(2, 3))


def test_plain_texts() -> None:
    assert plain("\ufeffa\r\nb\rc\n") == "a\nb\rc\n"
    assert plain("a\ud800b") == "a?b"
