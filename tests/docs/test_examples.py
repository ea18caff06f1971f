"""The examples in README.md and docs/ are valid, formatted specs.

The examples in docs/diagnostics.md are wrong on purpose; test_diagnostics_page.py tests them.
"""

import re
import textwrap
from pathlib import Path

import pytest

from cifar_dsl.compiler import analyze
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.formatter import format_text
from website.fences import ARCH, whole

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NAME = re.compile(r"(?:#.*\n)*arch (\w+)")
EXAMPLES = [
    pytest.param(
        kind, text, path, id=f"{path.stem}:{path.read_text(encoding='utf-8')[: match.start()].count(chr(10)) + 1}"
    )
    for path in sorted({ROOT / "README.md", *DOCS.rglob("*.md")} - {DOCS / "diagnostics.md"})
    for match in ARCH.finditer(path.read_text(encoding="utf-8"))
    for kind, text in [match.groups()]
    if kind != "wrong"
]


@pytest.mark.parametrize(("kind", "text", "page"), EXAMPLES)
def test_example(kind: str, text: str, page: Path, tmp_path: Path) -> None:
    for each, base in ARCH.findall(page.read_text(encoding="utf-8")):
        if not each and f'"{NAME.match(base)[1]}.arch"' in text:  # a spec of the page that this one extends
            (tmp_path / f"{NAME.match(base)[1]}.arch").write_text(base, encoding="utf-8")
    path = tmp_path / "example.arch"
    path.write_text(whole(kind, text), encoding="utf-8")
    analyze(path)


@pytest.mark.parametrize(("kind", "text", "page"), EXAMPLES)
def test_an_example_is_formatted(kind: str, text: str, page: Path) -> None:
    inside = textwrap.indent(text, "    ") if kind in {"body", "train"} else text
    spec = whole(kind, inside)
    assert format_text(Source("example.arch", spec)) == spec


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 10
