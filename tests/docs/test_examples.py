"""The examples of the documentation are specs that check.

Those of docs/diagnostics.md, which are wrong on purpose, have a test of their own.
"""

import re
from pathlib import Path

import pytest

from cifar_dsl.semantics import analyze

DOCS = Path(__file__).parents[2] / "docs"
# ```arch holds a whole spec; ```arch body, ```arch items and ```arch train a part of one.
FENCE = re.compile(r"^```arch ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WHOLES = {
    "": "{}",
    "body": "arch example\ninput 3x32x32\nmodel {{\n{}}}\n",
    "items": "arch example extends baseline\n{}",
    "train": "arch example extends baseline\ntrain {{\n{}}}\n",
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


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 10
