"""Each heading of a page has an anchor of its own, and links to anchors lead to one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The versions of CHANGELOG.md repeat the titles of their sections.
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *(page for folder in ("docs", "studies") for page in sorted((ROOT / folder).rglob("*.md"))),
]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> list[str]:
    """The anchors that GitHub and static site generators make of headings, before they number repeated ones."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_anchors_of_a_page_collide(page: Path) -> None:
    found = anchors(page)
    assert [anchor for anchor in dict.fromkeys(found) if found.count(anchor) > 1] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_anchors_that_a_page_links_exist(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
    assert [
        f"{name}#{anchor}" for name, anchor in links if anchor not in anchors(page.parent / name if name else page)
    ] == []
