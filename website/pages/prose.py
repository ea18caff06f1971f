"""The pages that people write: docs/*.md, README.md as the first page, and what contributors read."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from website.tree import ROOT, File, Page, page, read

GENERATED = ("docs/reference.md", "docs/diagnostics.md")  # other modules make pages of them
PLACES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "editors/vscode/README.md": "vscode.md",
    "docs/results/README.md": "results/index.md",
    "studies/README.md": "studies/index.md",
    "studies/activations/README.md": "studies/activations.md",
    "studies/group_norm/README.md": "studies/group_norm.md",
}
_FILES = ("docs/results/eight-specs/*", "docs/pictures/*", "studies/*/results/*/*")
_FILES_ELSEWHERE = {"editors/vscode/media/preview.png": "pictures/vscode.png"}
_REPORTS_ON_THE_REPOSITORY = re.compile(r"^.*\(\.\./\.\./actions/.*\n", re.MULTILINE)  # badges
_DECISION = re.compile(r"^# (?:(\d+)\. )?(.*)$", re.MULTILINE)


def pages() -> Iterator[Page]:
    """Every page, the decisions with an index."""
    for named, place in PLACES.items():
        yield page(place, _REPORTS_ON_THE_REPOSITORY.sub("", read(named)), named)
    for path in sorted((ROOT / "docs").rglob("*.md")):
        source = path.relative_to(ROOT).as_posix()
        if source not in {*PLACES, *GENERATED}:
            yield page(source.removeprefix("docs/"), read(source), source)
    yield page("decisions/index.md", _index_of_decisions())


def files() -> Iterator[File]:
    """What the pages show and link beside each other."""
    for pattern in _FILES:
        for path in filter(Path.is_file, sorted(ROOT.glob(pattern))):  # the runs lie in a folder beside their report
            source = PurePosixPath(path.relative_to(ROOT).as_posix())
            is_documentation = source.parts[0] == "docs"
            yield File(source.relative_to("docs") if is_documentation else source, path.read_bytes(), source)
    for named, place in _FILES_ELSEWHERE.items():
        yield File(PurePosixPath(place), (ROOT / named).read_bytes(), PurePosixPath(named))


def _index_of_decisions() -> str:
    lines = ["# Decisions", "", "The reasons behind the design, one short page each.", ""]
    for path in sorted((ROOT / "docs/decisions").glob("*.md")):
        number, title = _DECISION.search(path.read_text(encoding="utf-8")).groups()  # type: ignore[union-attr]
        lines.append(f"- {number}. [{title}]({path.name})")
    return "\n".join(lines) + "\n"
