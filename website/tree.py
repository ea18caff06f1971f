"""The pages and files of the site before Zensical makes HTML of them."""

from pathlib import Path, PurePosixPath

from cifar_dsl.foundation.records import frozen

ROOT = Path(__file__).parents[1]


@frozen
class Page:
    """A page of Markdown, and where it stands.

    `place` is its path in the site, `source` the file of the checkout from which its relative links start, if it
    has one; those of other pages start at `place`.
    """

    place: PurePosixPath
    text: str
    source: PurePosixPath | None = None

    @property
    def title(self) -> str:
        """Its first heading; without one, the name of its file."""
        headings = (line for line in self.text.splitlines() if line.startswith("# "))
        return next(headings, self.place.stem).removeprefix("# ").strip()


@frozen
class File:
    """A file of the site that is no page, such as a picture. `source` is the file of the checkout that it copies."""

    place: PurePosixPath
    content: bytes
    source: PurePosixPath | None = None


@frozen
class Section:
    """A title in the navigation, with the places of its pages and its subsections."""

    title: str
    entries: "tuple[PurePosixPath | Section, ...]"


def page(place: str, text: str, source: str | None = None) -> Page:
    """A page at `place`, made from the file `source` of the checkout."""
    return Page(PurePosixPath(place), text, PurePosixPath(source) if source else None)


def section(title: str, *entries: "str | PurePosixPath | Section") -> Section:
    """A part of the navigation."""
    return Section(title, tuple(PurePosixPath(entry) if isinstance(entry, str) else entry for entry in entries))


def read(source: str) -> str:
    """The text of a file of the checkout."""
    return (ROOT / source).read_text(encoding="utf-8")
