"""Definitions and references across files that extend each other, and the library."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from cifar_dsl.compiler.library import library_index
from cifar_dsl.compiler.names import Definition, Mention
from cifar_dsl.editors.language_server.documents import Documents, library_definitions
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.language.syntax.cursor import tokens_of


@cache
def library_words() -> frozenset[str]:
    """The words in the texts of the library, but for the names of its blocks' parameters."""
    texts = (path.read_text(encoding="utf-8") for path in set(library_index().values()))
    words = {token.text for text in texts for token in tokens_of(text) if token.kind == "name"}
    return frozenset(words - {parameter.name.text for parameter in parameters(library_definitions())})


def parameters(found: Mapping[str, tuple[Path, Definition]]) -> Iterator[nodes.BlockParameter]:
    """The parameters of the blocks among global definitions."""
    for _, definition in found.values():
        if isinstance(definition.node, nodes.Block):
            yield from definition.node.parameters


def place_of(documents: Documents, path: Path, definition: Definition) -> tuple[Path, Span] | None:
    """Where the text defines what is mentioned in a file: there, in a base, or in the library."""
    if definition.span is None:
        return None
    if definition.is_local:
        return path, definition.span
    place, _ = documents.global_definitions(path)[definition.owner or definition.name]
    return place, definition.span


def references(documents: Documents, path: Path, definition: Definition) -> list[tuple[Path, Mention]]:
    """All mentions, definitions included, of what is mentioned in a file."""
    is_local = definition.is_local or definition.is_of_language
    places = [path] if is_local else family(documents, path, definition)
    return [(place, mention) for place in places for mention in documents.names(place).mentions_of(definition)]


def family(documents: Documents, path: Path, definition: Definition) -> list[Path]:
    """The files that mention the name of a global, or a parameter of a block of it, and mean the same.

    These are among the farthest base that mentions it and whatever extends that; for a block of the library, among all
    files that have no block of their own of this name; and for what nothing defines, the file itself.
    """
    name = definition.owner or definition.name
    found = documents.global_definitions(path).get(name)
    if found is None:
        return [path]
    if found[0] in set(library_index().values()):
        files = naming(documents, (*library_index().values(), *documents.known()), name)
        return [file for file in files if not _has(documents, (file, *documents.bases(file)), name, found[0])]
    top = path
    for base in documents.bases(path):
        if documents.names(base).mentions_of(found[1]):
            top = base
    files = naming(documents, (top, path, *documents.known()), name)
    return [file for file in files if file == top or top in documents.bases(file)]


def naming(documents: Documents, files: Iterable[Path], name: str) -> list[Path]:
    """Those of the files, each once, whose texts have this word; others need not be parsed."""
    word = re.compile(rf"\b{name}\b")
    sources = ((file, documents.source(file)) for file in dict.fromkeys(files))
    return [file for file, source in sources if source and word.search(source.text)]


def _has(documents: Documents, files: Iterable[Path], name: str, library: Path) -> bool:
    """Whether one of the files, the one of the library aside, defines a global name."""
    return any(name in documents.definitions(file) for file in files if file != library)
