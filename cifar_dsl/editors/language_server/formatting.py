"""The canonical layout."""

from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.editing import difference, text_edit
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.language.syntax.formatter import format_text


def formatting(documents: Documents, path: Path) -> list[types.TextEdit]:
    """What gives a file its canonical layout; nothing where it doesn't parse, of which its diagnostics tell."""
    source = documents.source(path)
    try:
        text = format_text(source) if source else ""
    except SpecError:
        return []
    return [text_edit(documents, path, edit) for edit in difference(source, text)] if source else []
