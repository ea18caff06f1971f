"""From a name to its definition, and to all places that mention it."""

from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server import families
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.lookup import mention_in
from cifar_dsl.editors.language_server.references import Mention


def definition(documents: Documents, path: Path, offset: int) -> types.Location | None:
    """Where what is mentioned at a place is defined; of what a spec extends, the file."""
    mention = mention_in(documents, path, offset)
    if mention is None:
        return None
    if mention.meaning.kind == "base":
        start = types.Position(0, 0)
        base = next(iter(documents.bases(path)), None)
        return types.Location(documents.uri(base), types.Range(start, start)) if base else None
    found = families.definition(documents, path, mention.meaning)
    if found is None and mention.meaning.kind == "local":  # of a text that doesn't parse
        start = documents.positions.position(mention.span.source.text, int(mention.meaning.owner))
        return types.Location(documents.uri(path), types.Range(start, start))
    return _location(documents, *found) if found else None


def references(documents: Documents, path: Path, offset: int, *, include_definitions: bool) -> list[types.Location]:
    """All places that mention what is mentioned at a place."""
    mention = mention_in(documents, path, offset)
    if mention is None:
        return []
    found = families.references(documents, path, mention.meaning)
    return [_location(documents, place, one) for place, one in found if include_definitions or not one.is_definition]


def highlights(documents: Documents, path: Path, offset: int) -> list[types.DocumentHighlight]:
    """The places of this file that mention the same."""
    mention = mention_in(documents, path, offset)
    return [
        types.DocumentHighlight(
            documents.positions.range(one.span),
            types.DocumentHighlightKind.Write if one.is_definition else types.DocumentHighlightKind.Read,
        )
        for one in documents.mentions(path)
        if mention is not None and one.meaning == mention.meaning
    ]


def _location(documents: Documents, path: Path, mention: Mention) -> types.Location:
    return types.Location(documents.uri(path), documents.positions.range(mention.span))
