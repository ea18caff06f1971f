"""Go to definition, find references, highlight mentions."""

from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server import cross_file
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.language.source import Span


def definition(documents: Documents, path: Path, offset: int) -> types.Location | None:
    """The definition of the name at an offset; for the base after `extends`, its file."""
    mention = documents.names(path).at(offset)
    if mention is None:
        return None
    if mention.definition.kind == "base":
        start = types.Position(0, 0)
        base = next(iter(documents.bases(path)), None)
        return types.Location(documents.uri(base), types.Range(start, start)) if base else None
    site = cross_file.definition_site(documents, path, mention.definition)
    return _location(documents, *site) if site else None


def references(documents: Documents, path: Path, offset: int, *, include_definitions: bool) -> list[types.Location]:
    """All mentions of the name at an offset, across files."""
    mention = documents.names(path).at(offset)
    if mention is None:
        return []
    mentions = cross_file.references(documents, path, mention.definition)
    return [
        _location(documents, file, one.span) for file, one in mentions if include_definitions or not one.is_definition
    ]


def highlights(documents: Documents, path: Path, offset: int) -> list[types.DocumentHighlight]:
    """All mentions of the name at an offset, in this file."""
    names = documents.names(path)
    mention = names.at(offset)
    return [
        types.DocumentHighlight(
            documents.positions.range(one.span),
            types.DocumentHighlightKind.Write if one.is_definition else types.DocumentHighlightKind.Read,
        )
        for one in (names.mentions_of(mention.definition) if mention else ())
    ]


def document_links(documents: Documents, path: Path) -> list[types.DocumentLink]:
    """The base after `extends`, as a link to its file, if there is one."""
    tree, base = documents.tree(path), next(iter(documents.bases(path)), None)
    if tree is None or tree.header.base is None or base is None or documents.source(base) is None:
        return []
    return [types.DocumentLink(documents.positions.range(tree.header.base.span), documents.uri(base))]


def _location(documents: Documents, path: Path, span: Span) -> types.Location:
    return types.Location(documents.uri(path), documents.positions.range(span))
