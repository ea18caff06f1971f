"""docs/diagnostics.md declares each code in a section, and its examples are right and wrong as stated."""

import re
from pathlib import Path

import pytest

from cifar_dsl.compiler.lints import inspect
from cifar_dsl.foundation.resources import diagnostics_path
from cifar_dsl.language.diagnostics import known_codes

PAGE = diagnostics_path().read_text(encoding="utf-8")
HEADING = re.compile(r"^## ([A-Z][0-9]+): (.*)$", re.MULTILINE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^(\w+):\n\n```arch\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ALLOWED = FENCE.findall(PAGE[: HEADING.search(PAGE).start()])  # the examples of the introduction
PARTS = HEADING.split(PAGE)[1:]
SECTIONS = dict(zip(PARTS[::3], PARTS[2::3], strict=True))
# Their examples need a byte or character that the page can't contain.
WITHOUT_EXAMPLES = {"E0103", "E0105"}


def codes_of(text: str, folder: Path) -> list[str]:
    """The codes reported for a text in the file `example.arch`."""
    path = folder / "example.arch"
    path.write_text(text, encoding="utf-8")
    return [diagnostic.code for diagnostic in inspect(path).diagnostics]


def test_sections_declare_the_codes_in_numerical_order():
    assert list(zip(PARTS[::3], PARTS[1::3], strict=True)) == [(code.id, code.title) for code in known_codes().values()]
    assert list(known_codes()) == sorted(known_codes())


def test_there_are_no_other_sections_between_them():
    assert len(re.findall(r"^## ", PAGE[HEADING.search(PAGE).start() :], re.MULTILINE)) == len(known_codes())


@pytest.mark.parametrize("code", known_codes())
def test_a_section_explains_its_code_and_shows_a_wrong_and_a_right_example(code):
    section = SECTIONS[code]
    _, *paragraphs = section.split("\n\n")
    reason = paragraphs.pop(0).removeprefix("> ") if paragraphs[0].startswith("> ") else ""
    assert reason == known_codes()[code].reason
    assert len(paragraphs[0]) > 60
    assert paragraphs[0].startswith(known_codes()[code].explanation.split("\n\n")[0])
    titles = [title for title, _ in EXAMPLE.findall(section)]
    assert titles == ([] if code in WITHOUT_EXAMPLES else ["Wrong", "Right"])
    assert len(FENCE.findall(section)) == max(1, len(titles))  # no example that isn't headed


@pytest.mark.parametrize("code", [code for code in known_codes() if code not in WITHOUT_EXAMPLES])
def test_the_examples(code, tmp_path):
    examples = dict(EXAMPLE.findall(SECTIONS[code]))
    assert codes_of(examples["Wrong"], tmp_path)[:1] == [code]
    assert codes_of(examples["Right"], tmp_path) == []


def test_the_introduction_shows_how_to_allow_warnings(tmp_path):
    assert [kind for kind, _ in ALLOWED] == ["arch", "arch"]
    for _, text in ALLOWED:
        assert codes_of(text, tmp_path) == []
        assert codes_of(re.sub("#.*", "", text), tmp_path) == ["W0203", "W0204"]
