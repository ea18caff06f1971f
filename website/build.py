"""Builds the site: pages and files, their links, and HTML by Zensical."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from attrs import evolve

from website.fences import for_the_site
from website.layout import navigation
from website.links import Linker, check, with_anchors
from website.pages import api, commands, diagnostics, playground, prose, reference, zoo
from website.tree import ROOT, File, Page, Section

_ASSETS = ROOT / "website" / "assets"
PAGES = ROOT / "build" / "site-pages"
# Files and folders of the checkout that no page is made from, with the pages that stand for them.
_ELSEWHERE = {
    "docs/decisions": "decisions/index.md",
    "docs/results": "results/index.md",
    "specs": "zoo/index.md",
    "specs/records": "zoo/index.md",
    "specs/zoo": "zoo/index.md",
    "specs/library": "reference/library.md",
}


def made() -> tuple[list[Page], list[File]]:
    """All pages, with their links resolved, and all files. Raises BrokenLinksError."""
    modules = (prose, reference, diagnostics, commands, api, zoo)
    pages = [page for module in modules for page in module.pages()]
    files = [*prose.files(), *reference.files(), *zoo.files(), *playground.files()]
    linker = Linker(pages, files, _ELSEWHERE)
    linked = [playground.linked(linker.linked(page)) for page in pages]
    check(linker.broken)
    return [evolve(page, text=with_anchors(for_the_site(page.text))) for page in linked], files


def build(out: Path) -> None:
    """Write the site to a folder, which is replaced."""
    pages, files = made()
    _written(pages, files)
    (PAGES / "zensical.toml").write_text(_configuration(navigation(pages)), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "zensical", "build", "--config-file", "zensical.toml"], check=True, cwd=PAGES)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(PAGES / "site", out)


def _written(pages: Iterable[Page], files: Iterable[File]) -> None:
    """Write the sources of the site; a file that doesn't change keeps its time."""
    contents = {page.place: page.text.encode() for page in pages} | {file.place: file.content for file in files}
    contents |= {Path("assets") / path.name: path.read_bytes() for path in _ASSETS.iterdir()}  # type: ignore[misc]
    folder = PAGES / "docs"
    for place, content in contents.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in {str(place) for place in contents}:
            path.unlink()


def _configuration(tabs: Iterable[Section]) -> str:
    """The configuration of Zensical; strings of JSON are strings of TOML."""
    text = (ROOT / "website" / "zensical.toml").read_text(encoding="utf-8")
    nav = ",\n".join(f"  {_entry(tab)}" for tab in tabs)
    return text.replace("@nav@", f"[\n{nav}\n]")


def _entry(part: Section) -> str:
    first, *others = part.entries
    if not others and not isinstance(first, Section):
        return f"{{ {json.dumps(part.title)} = {json.dumps(str(first))} }}"
    inside = ", ".join(_entry(one) if isinstance(one, Section) else json.dumps(str(one)) for one in part.entries)
    return f"{{ {json.dumps(part.title)} = [{inside}] }}"
