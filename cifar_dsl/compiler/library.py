"""The standard library: blocks that every spec can call, written in the language itself (specs/library)."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.language.source import Source, comment_above
from cifar_dsl.language.syntax import nodes, parse_spec, print_head

_BLOCK = re.compile(r"^block ([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)


@cache
def library_index() -> dict[str, Path]:
    """The names of the library's blocks and their files, found without parsing."""
    files = sorted((specs_directory() / "library").glob("*.arch"))
    return {name: file for file in files for name in _BLOCK.findall(file.read_text(encoding="utf-8"))}


def library_blocks(names: Iterable[str]) -> dict[str, nodes.Block]:
    """The library's blocks among `names`, and the blocks that those call."""
    index = library_index()
    found: dict[str, nodes.Block] = {}
    waiting = sorted(set(names) & index.keys())
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = _file(index[name])[name]
            waiting += sorted(nodes.references([found[name].body, found[name].parameters]) & index.keys())
    return found


def documented_blocks() -> dict[str, tuple[str, str]]:
    """The comment above each block of the library, and its head."""
    documented = {}
    for path in sorted(set(library_index().values())):
        text = path.read_text(encoding="utf-8")
        for name, block in _file(path).items():
            documented[name] = (comment_above(text, block.span.start), print_head(block))
    return documented


@cache
def _file(path: Path) -> dict[str, nodes.Block]:
    spec = parse_spec(Source(str(path), path.read_text(encoding="utf-8"), is_library=True))
    return {item.name.text: item for item in spec.items if isinstance(item, nodes.Block)}
