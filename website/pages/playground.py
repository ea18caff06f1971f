"""The playground, where it has been built: a copy of it in the site, and the links that open a spec in it."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from textwrap import indent

from attrs import evolve

from cifar_dsl.editors.playground.links import fragment
from cifar_dsl.foundation.resources import playground_directory, shipped_specs
from website.fences import ARCH, whole
from website.tree import File, Page

_FOLDER = PurePosixPath("playground")
_NAME = re.compile(r"^arch (\w+)", re.MULTILINE)
_BASE = re.compile(r'\bextends "(\w+)\.arch"')


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
    by_name = {name[1]: text for kind, text in ARCH.findall(page.text) if not kind and (name := _NAME.search(text))}

    def with_link(match: re.Match[str]) -> str:
        kind, text = match.groups()
        spec = whole(kind, indent(text, "    ") if kind in {"body", "train"} else text)
        return f"{match[0]}\n[Open in the playground]({address}{_fragment(spec, by_name)}){{ .playground }}\n"

    return evolve(page, text=ARCH.sub(with_link, page.text))


def _fragment(spec: str, by_name: Mapping[str, str]) -> str:
    """The hash that opens a spec; beside its base, if that is a spec of the same page: the playground has no other."""
    base = _BASE.search(spec)
    if base is None or base[1] not in by_name or base[1] in shipped_specs():
        return fragment(spec)
    return fragment(by_name[base[1]], _BASE.sub('extends "a.arch"', spec, count=1))
