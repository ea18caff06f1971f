"""From a name to its definition, and to all places that mention it."""

from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server import families
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.language.source import Span


def definition(documents: Documents, path: Path, offset: int) -> types.Location | None:
    """Where what is mentioned at a place is defined; of what a spec extends, the file."""
    mention = documents.names(path).at(offset)
    if mention is None:
        return None
    if mention.definition.kind == "base":
        start = types.Position(0, 0)
        base = next(iter(documents.bases(path)), None)
        return types.Location(documents.uri(base), types.Range(start, start)) if base else None
    found = families.place_of(documents, path, mention.definition)
    return _location(documents, *found) if found else None


def references(documents: Documents, path: Path, offset: int, *, include_definitions: bool) -> list[types.Location]:
    """All places that mention what is mentioned at a place."""
    mention = documents.names(path).at(offset)
    if mention is None:
        return []
    found = families.references(documents, path, mention.definition)
    return [
        _location(documents, place, one.span) for place, one in found if include_definitions or not one.is_definition
    ]


def highlights(documents: Documents, path: Path, offset: int) -> list[types.DocumentHighlight]:
    """The places of this file that mention the same."""
    names = documents.names(path)
    mention = names.at(offset)
    return [
        types.DocumentHighlight(
            documents.positions.range(one.span),
            types.DocumentHighlightKind.Write if one.is_definition else types.DocumentHighlightKind.Read,
        )
        for one in (names.mentions_of(mention.definition) if mention else ())
    ]


def _location(documents: Documents, path: Path, span: Span) -> types.Location:
    return types.Location(documents.uri(path), documents.positions.range(span))
