"""Each heading of a page has an anchor of its own, and links to anchors lead to one."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The versions of CHANGELOG.md repeat the titles of their sections.
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *(page for folder in ("docs", "studies") for page in sorted((ROOT / folder).rglob("*.md"))),
]
LINK = re.compile(r"\]\((?!https?:)([^)#]*)#([^)]+)\)")  # the page, and the anchor there
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@cache
def anchors(page: Path) -> list[str]:
    """The anchors that GitHub and static site generators make of headings, before they number repeated ones."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_no_anchors_of_a_page_collide() -> None:
    found = [(page, anchor) for page in PAGES for anchor in anchors(page)]
    assert [one for one, count in Counter(found).items() if count > 1] == []


def test_the_anchors_that_a_page_links_exist() -> None:
    links = [(page, *link) for page in PAGES for link in LINK.findall(page.read_text(encoding="utf-8"))]
    assert [
        (page, f"{name}#{anchor}")
        for page, name, anchor in links
        if anchor not in anchors(page.parent / name if name else page)
    ] == []
