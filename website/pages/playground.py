"""The playground, where it has been built: a copy of it in the site, and the links that open a spec in it."""

import os
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from textwrap import indent

from attrs import evolve

from cifar_dsl.editors.playground.links import fragment
from cifar_dsl.foundation.resources import playground_directory
from website.fences import ARCH, whole
from website.tree import File, Page

_FOLDER = PurePosixPath("playground")


def is_built() -> bool:
    """Whether there is a playground to link; `python playground/build.py` makes one."""
    return (playground_directory() / "index.html").is_file()


def files() -> Iterator[File]:
    """The files of the playground, if it has been built."""
    folder = playground_directory()
    for path in sorted(folder.rglob("*")) if is_built() else []:
        if path.is_file() and path.suffix != ".gz":
            yield File(_FOLDER / path.relative_to(folder).as_posix(), path.read_bytes())


def linked(page: Page) -> Page:
    """A page with a link below each spec that opens it in the playground, if it has been built."""
    if not is_built():
        return page
    address = os.path.relpath(_FOLDER / "index.html", page.place.parent)

    def with_link(match: re.Match[str]) -> str:
        kind, text = match.groups()
        spec = whole(kind, indent(text, "    ") if kind in {"body", "train"} else text)
        return f"{match[0]}\n[Open in the playground]({address}{fragment(spec)}){{ .playground }}\n"

    return evolve(page, text=ARCH.sub(with_link, page.text))
