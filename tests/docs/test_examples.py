"""The examples in the documentation are valid, formatted specs.

The examples in docs/diagnostics.md are wrong on purpose; test_diagnostics_page.py tests them.
"""

import re
import textwrap
from pathlib import Path

import pytest

from cifar_dsl.compiler import analyze
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.formatter import format_text

DOCS = Path(__file__).parents[2] / "docs"
# ```arch holds a whole spec; ```arch body, ```arch items and ```arch train a part of one.
FENCE = re.compile(r"^```arch ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WHOLES = {
    "": "{}",
    "body": "arch example\ninput 3x32x32\n\nmodel {{\n{}}}\n",
    "items": "arch example extends baseline\n{}",
    "train": "arch example extends baseline\n\ntrain {{\n{}}}\n",
}
EXAMPLES = [
    pytest.param(kind, text, id=f"{path.stem}:{path.read_text(encoding='utf-8')[: match.start()].count(chr(10)) + 1}")
    for path in sorted({*DOCS.rglob("*.md")} - {DOCS / "diagnostics.md"})
    for match in FENCE.finditer(path.read_text(encoding="utf-8"))
    for kind, text in [match.groups()]
]


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_example(kind: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "example.arch"
    path.write_text(WHOLES[kind].format(text), encoding="utf-8")
    analyze(path)


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_an_example_is_formatted(kind: str, text: str) -> None:
    inside = textwrap.indent(text, "    ") if kind in {"body", "train"} else text
    whole = WHOLES[kind].format(inside)
    assert format_text(Source("example.arch", whole)) == whole


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 10
