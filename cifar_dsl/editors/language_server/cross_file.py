"""Definitions and references across the files that extend each other, and across the library."""

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
    """The words in the library's texts, except the names of block parameters."""
    texts = (path.read_text(encoding="utf-8") for path in set(library_index().values()))
    words = {token.text for text in texts for token in tokens_of(text) if token.kind == "name"}
    return frozenset(words - {parameter.name.text for parameter in parameters(library_definitions())})


def parameters(definitions: Mapping[str, tuple[Path, Definition]]) -> Iterator[nodes.BlockParameter]:
    """The parameters of all blocks in `definitions`."""
    for _, definition in definitions.values():
        if isinstance(definition.node, nodes.Block):
            yield from definition.node.parameters


def definition_site(documents: Documents, path: Path, definition: Definition) -> tuple[Path, Span] | None:
    """The file and span that define a name of `path`: in that file, a base or the library."""
    if definition.span is None:
        return None
    if definition.is_local:
        return path, definition.span
    name = definition.owner or definition.name
    visible = library_definitions() if definition.is_of_library else documents.global_definitions(path)
    return visible[name][0], definition.span


def references(documents: Documents, path: Path, definition: Definition) -> list[tuple[Path, Mention]]:
    """All mentions of a name of `path`, its definitions included, each with its file."""
    is_of_one_file = definition.is_local or definition.is_of_language
    files = [path] if is_of_one_file else files_sharing(documents, path, definition)
    return [(file, mention) for file in files for mention in documents.names(file).mentions_of(definition)]


def files_sharing(documents: Documents, path: Path, definition: Definition) -> list[Path]:
    """The files in which a param, a block or a block's parameter means the same as in `path`.

    Candidates are the outermost base that mentions the name and all files that extend it. For a library block they are
    all files without a block of that name; for an undefined name, only `path`.
    """
    name = definition.owner or definition.name
    visible = library_definitions() if definition.is_of_library else documents.global_definitions(path)
    known = visible.get(name)
    if known is None:
        return [path]
    defining_file, global_definition = known
    library_files = library_index().values()
    if defining_file in library_files:
        files = files_containing(documents, (*library_files, *documents.workspace_specs()), name)
        return [file for file in files if not _redefines(documents, file, name, defining_file)]
    outermost = path
    for base in documents.bases(path):
        if documents.names(base).mentions_of(global_definition):
            outermost = base
    files = files_containing(documents, (outermost, path, *documents.workspace_specs()), name)
    return [file for file in files if file == outermost or outermost in documents.bases(file)]


def files_containing(documents: Documents, files: Iterable[Path], name: str) -> list[Path]:
    """The files whose texts contain a word, without duplicates; a quick filter before they are parsed."""
    word = re.compile(rf"\b{name}\b")
    sources = ((file, documents.source(file)) for file in dict.fromkeys(files))
    return [file for file, source in sources if source and word.search(source.text)]


def _redefines(documents: Documents, path: Path, name: str, library: Path) -> bool:
    """Whether a file or one of its bases, other than the library file, defines a name."""
    return any(name in documents.definitions(file) for file in (path, *documents.bases(path)) if file != library)
