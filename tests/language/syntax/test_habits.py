"""The patterns of habits. What they advise is tested in tests/language/diagnostics."""

import re

import pytest

from cifar_dsl.language.syntax.habits import HABITS

_GIVES_BACK = re.compile(r"\[ \\t\][*+](?!\+)")


@pytest.mark.parametrize("pattern", [habit.pattern.pattern for habit in HABITS])
def test_a_pattern_gives_no_space_back(pattern: str) -> None:
    # Two neighbours that do would try all ways to divide a line of spaces between them.
    assert not _GIVES_BACK.search(pattern)
