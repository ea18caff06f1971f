"""The page of the zoo states what the specs are."""

import re
from pathlib import Path

import pytest

from cifar_dsl.foundation.resources import shipped_specs, specs_directory

PAGE = Path(__file__).parents[2] / "docs" / "results" / "zoo.md"
ROWS = {
    name: (path, int(lines))
    for name, path, lines in re.findall(
        r"^\| \[(\w+)\]\(\.\./\.\./specs/(\S+?)\) \|.*\| (\d+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
}


def test_every_published_network_has_a_row() -> None:
    folders = {specs_directory() / "zoo", specs_directory() / "records"}
    assert {*ROWS} == {name for name, path in shipped_specs().items() if path.parent in folders}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_counts_the_lines_of_its_file(name: str) -> None:
    path, lines = ROWS[name]
    assert len((specs_directory() / path).read_text(encoding="utf-8").splitlines()) == lines
