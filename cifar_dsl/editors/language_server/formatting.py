"""Document formatting, as `cifar-dsl fmt` does it."""

from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.editing import changed_lines, text_edit
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.language.syntax.formatter import format_text


def formatting(documents: Documents, path: Path) -> list[types.TextEdit]:
    """The edits that format a file; none if it has syntax errors, which its diagnostics report."""
    source = documents.source(path)
    try:
        text = format_text(source) if source else ""
    except SpecError:
        return []
    return [text_edit(documents, path, edit) for edit in changed_lines(source, text)] if source else []
