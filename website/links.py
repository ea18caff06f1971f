"""Points the links of pages at pages of the site, and finds those that lead nowhere.

Pages link files of the checkout, as GitHub shows them. A link to a file that is a page leads to that page; where a file
is several pages, to the one with the link's anchor. Other files of the checkout are named without a link.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from attrs import evolve

from website.fences import outside_fences
from website.tree import ROOT, File, Page

_LINK = re.compile(r"(?P<code>`+)(?!`).*?(?<!`)(?P=code)(?!`)|(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+) (.*?)(?: \{ #([\w-]+) \})?$", re.MULTILINE)
_OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_HTML = re.compile(r' (href|src)="([^"]+)"')


def anchor(heading: str) -> str:
    """The anchor of a heading, by GitHub's rule."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(text: str) -> list[str]:
    """The anchors of a page's headings, in order."""
    found: list[str] = []
    outside_fences(lambda part: _noted(part, found), text)
    return found


def _noted(part: str, found: list[str]) -> str:
    found += [given or anchor(heading) for _, heading, given in _HEADING.findall(part)]
    return part


def with_anchors(text: str) -> str:
    """A page whose headings state their anchors, since generators differ in how they make them."""

    def stated(part: str) -> str:
        return _HEADING.sub(lambda match: f"{match[1]} {match[2]} {{ #{match[3] or anchor(match[2])} }}", part)

    return outside_fences(stated, text)


class BrokenLinksError(Exception):
    """Links of the pages lead nowhere."""


class Linker:
    """Resolves the links of all pages and notes those that lead nowhere."""

    def __init__(self, pages: Sequence[Page], files: Sequence[File], elsewhere: Mapping[str, str]) -> None:
        """`elsewhere`: the place of the page that stands for a file or folder of the checkout that is no page."""
        self._titles = {page.place: page.title for page in pages}
        self._by_place = {page.place: frozenset(anchors(page.text)) for page in pages}
        self._by_source: dict[PurePosixPath, list[PurePosixPath]] = {}
        copies: tuple[Page | File, ...] = (*pages, *files)
        for each in copies:
            if each.source:
                self._by_source.setdefault(each.source, []).append(each.place)
        self._by_source |= {PurePosixPath(source): [PurePosixPath(place)] for source, place in elsewhere.items()}
        self._files = {file.place for file in files}
        self.broken: list[str] = []

    def linked(self, page: Page) -> Page:
        """A page whose links are relative to its place in the site."""

        def markdown(match: re.Match[str]) -> str:
            code, mark, label, link = match.groups()
            if code:
                return match[0]
            label = _LINK.sub(markdown, label)  # it may be a picture
            target = self._target(page, link)
            if target is None and mark:
                self._note(page, link)  # a picture that isn't there
            return label if target is None else f"{mark}[{self._label(page, label, link)}]({target})"

        def resolved(part: str) -> str:
            part = _LINK.sub(markdown, part)
            return _HTML.sub(lambda match: f' {match[1]}="{self._target(page, match[2]) or match[2]}"', part)

        return evolve(page, text=outside_fences(resolved, page.text))

    def _target(self, page: Page, link: str) -> str | None:
        """A link as the page has it in the site; None for a file of the checkout that isn't there."""
        if _OUTSIDE.match(link):
            return link
        path, _, fragment = link.partition("#")
        named = self._named(page, path)
        place = self._place(page, named, path, fragment)
        if place is None:
            if page.source and path and (ROOT / named).exists():
                return None
            self._note(page, link)
            return link
        if fragment and place in self._by_place and fragment not in self._by_place[place]:
            self._note(page, link)
        relative = os.path.relpath(place, page.place.parent)
        return f"{relative}#{fragment}" if fragment else relative

    def _label(self, page: Page, label: str, link: str) -> str:
        """The text of a link; the title of its page in place of the name of a file."""
        if not label.endswith(".md"):
            return label
        place = self._place(page, self._named(page, link), link, "")
        return self._titles.get(place, label) if place else label

    def _note(self, page: Page, link: str) -> None:
        """Note that a link leads nowhere."""
        self.broken.append(f"{page.source or page.place}: {link}")

    @staticmethod
    def _named(page: Page, path: str) -> PurePosixPath:
        """The file that a link means. A link that starts with a slash starts at the root of the site."""
        start = page.source or page.place
        if path.startswith("/"):
            return PurePosixPath(path[1:])
        return PurePosixPath(os.path.normpath(start.parent / path)) if path else start

    def _place(self, page: Page, named: PurePosixPath, path: str, fragment: str) -> PurePosixPath | None:
        if not path and fragment in self._by_place[page.place]:
            return page.place
        candidates = self._by_source.get(named, [])
        if named in self._by_place or named in self._files:
            candidates = [*candidates, named]
        return next(
            (each for each in candidates if fragment in self._by_place.get(each, ())), next(iter(candidates), None)
        )


def check(broken: list[str]) -> None:
    """Raise BrokenLinksError if there are any."""
    if broken:
        raise BrokenLinksError("links that lead nowhere:\n" + "\n".join(sorted(broken)))
