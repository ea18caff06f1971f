"""Definitions and references across files that extend each other, and the library."""

from collections.abc import Iterable
from pathlib import Path

from cifar_dsl.language_server.documents import Documents
from cifar_dsl.language_server.references import Meaning, Mention, mentions
from cifar_dsl.semantics.library import library_index

_ACROSS_FILES = ("global", "parameter")


def mentions_in(documents: Documents, path: Path) -> list[Mention]:
    """The mentions in a file; none where it doesn't parse."""
    tree = documents.tree(path)
    return mentions(tree) if tree else []


def definition(documents: Documents, path: Path, meaning: Meaning) -> tuple[Path, Mention] | None:
    """Where what is meant in a file is defined: there, in a base, or in the library."""
    places = [path]
    if meaning.kind in _ACROSS_FILES:
        places += documents.bases(path)
        library = library_index().get(_global_name(meaning))
        places += [library] if library else []
    for place in places:
        for mention in mentions_in(documents, place):
            if mention.is_definition and mention.meaning == meaning:
                return place, mention
    return None


def references(documents: Documents, path: Path, meaning: Meaning) -> list[tuple[Path, Mention]]:
    """All mentions, definitions included, of what is meant in a file."""
    places = family(documents, path, meaning) if meaning.kind in _ACROSS_FILES else [path]
    return [
        (place, mention) for place in places for mention in mentions_in(documents, place) if mention.meaning == meaning
    ]


def family(documents: Documents, path: Path, meaning: Meaning) -> list[Path]:
    """The files in which a global name means the same.

    These are the farthest base that mentions it and whatever extends that; for a block of the library, all files
    that have no block of their own of this name.
    """
    name = _global_name(meaning)
    found = definition(documents, path, Meaning("global", name))
    if found and found[0] in set(library_index().values()):
        files = dict.fromkeys((*library_index().values(), *documents.known()))
        return [file for file in files if not _has(documents, (file, *documents.bases(file)), name, found[0])]
    top = path
    for base in documents.bases(path):
        if any(mention.meaning == Meaning("global", name) for mention in mentions_in(documents, base)):
            top = base
    files = dict.fromkeys((top, path, *documents.known()))
    return [file for file in files if file == top or top in documents.bases(file)]


def _has(documents: Documents, files: Iterable[Path], name: str, library: Path) -> bool:
    """Whether one of the files, the one of the library aside, defines a global name."""
    meaning = Meaning("global", name)
    return any(
        mention.is_definition and mention.meaning == meaning
        for file in files
        if file != library
        for mention in mentions_in(documents, file)
    )


def _global_name(meaning: Meaning) -> str:
    return meaning.owner if meaning.kind == "parameter" else meaning.name
