"""The unchanged lines of two versions of a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifar_dsl.editors.language_server.unchanged import Unchanged

TEXTS = st.text("ab\n", max_size=20)


@pytest.mark.parametrize(
    ("place", "expected"),
    [((0, 1), (0, 1)), ((0, 2), (0, 2)), ((2, 3), None), ((1, 3), None), ((4, 5), (7, 8)), ((6, 7), (9, 10))],
)
def test_text_after_a_longer_line_moves(place: tuple[int, int], expected: tuple[int, int] | None) -> None:
    assert Unchanged.between("a\nb\nc\nd\n", "a\nbbbb\nc\nd\n").moved(*place) == expected


@given(TEXTS, TEXTS)
def test_a_range_that_moves_keeps_its_text(old: str, new: str) -> None:
    unchanged = Unchanged.between(old, new)
    for start in range(len(old)):
        place = unchanged.moved(start, start + 1)
        if place is not None:
            assert new[slice(*place)] == old[start]


@given(TEXTS)
def test_an_unchanged_text_keeps_every_range(text: str) -> None:
    unchanged = Unchanged.between(text, text)
    assert all(unchanged.moved(start, start + 1) == (start, start + 1) for start in range(len(text)))
