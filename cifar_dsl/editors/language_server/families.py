"""Definitions and references across files that extend each other, and the library."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from cifar_dsl.compiler.library import library_index
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.references import Meaning, Mention
from cifar_dsl.editors.language_server.sketch import Named, Sketch
from cifar_dsl.editors.language_server.tokens import tokens_of

_ACROSS_FILES = ("global", "parameter")


@cache
def library_names() -> dict[str, Named]:
    """The blocks of the library, by their names."""
    texts = [path.read_text(encoding="utf-8") for path in dict.fromkeys(library_index().values())]
    return {name: named for text in texts for name, named in Sketch.of(text).names.items()}


@cache
def library_words() -> frozenset[str]:
    """The words in the texts of the library, but for the names of its blocks' parameters."""
    texts = (path.read_text(encoding="utf-8") for path in set(library_index().values()))
    words = {token.text for text in texts for token in tokens_of(text) if token.kind == "name"}
    return frozenset(words - {parameter.name for block in library_names().values() for parameter in block.parameters})


def global_names(documents: Documents, path: Path) -> dict[str, tuple[Path, Named]]:
    """The params and blocks that a file may use, where each is defined, those of the library last."""
    found: dict[str, tuple[Path, Named]] = {}
    for place in (path, *documents.bases(path)):
        for name, named in documents.sketch(place).names.items():
            found.setdefault(name, (place, named))
    for name, named in library_names().items():
        found.setdefault(name, (library_index()[name], named))
    return found


def definition(documents: Documents, path: Path, meaning: Meaning) -> tuple[Path, Mention] | None:
    """Where what is meant in a file is defined: there, in a base, or in the library."""
    places = [path]
    if meaning.kind in _ACROSS_FILES:
        places += documents.bases(path)
        library = library_index().get(_global_name(meaning))
        places += [library] if library else []
    for place in places:
        for mention in documents.mentions(place):
            if mention.is_definition and mention.meaning == meaning:
                return place, mention
    return None


def references(documents: Documents, path: Path, meaning: Meaning) -> list[tuple[Path, Mention]]:
    """All mentions, definitions included, of what is meant in a file."""
    places = family(documents, path, meaning) if meaning.kind in _ACROSS_FILES else [path]
    return [(place, mention) for place in places for mention in documents.mentions(place) if mention.meaning == meaning]


def family(documents: Documents, path: Path, meaning: Meaning) -> list[Path]:
    """The files that mention the name of a global, or a parameter of a block of it, and mean the same.

    These are among the farthest base that mentions it and whatever extends that; for a block of the library, among all
    files that have no block of their own of this name; and for what nothing defines, the file itself.
    """
    name = _global_name(meaning)
    found = definition(documents, path, Meaning("global", name))
    if found is None:
        return [path]
    if found[0] in set(library_index().values()):
        files = naming(documents, (*library_index().values(), *documents.known()), name)
        return [file for file in files if not _has(documents, (file, *documents.bases(file)), name, found[0])]
    top = path
    for base in documents.bases(path):
        if any(mention.meaning == Meaning("global", name) for mention in documents.mentions(base)):
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
    return any(name in documents.sketch(file).names for file in files if file != library)


def _global_name(meaning: Meaning) -> str:
    return meaning.owner if meaning.kind == "parameter" else meaning.name
