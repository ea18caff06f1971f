"""Document formatting, as `cifar-dsl fmt` does it."""

from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.editing import changed_lines, text_edit
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.language.syntax.formatter import format_text


def formatting(documents: Documents, path: Path) -> list[types.TextEdit]:
    """The edits that format a file. Raises UserError if it has syntax errors."""
    source = documents.source(path)
    if source is None:
        return []
    try:
        text = format_text(source)
    except SpecError as error:
        first = error.diagnostics[0]
        line = f"line {first.label.span.line}: " if first.label else ""
        raise UserError(f"not formatted: {line}{first.message}") from None
    return [text_edit(documents, path, edit) for edit in changed_lines(source, text)]


def range_formatting(documents: Documents, path: Path, wanted: types.Range) -> list[types.TextEdit]:
    """The edits of `formatting` that concern the lines of a range: whole runs of lines that differ."""
    return [edit for edit in formatting(documents, path) if _touches(edit.range, wanted)]


def _touches(edit: types.Range, wanted: types.Range) -> bool:
    """Whether an edit of whole lines concerns a line of a range; an insertion concerns the line after it."""
    last = edit.end.line - 1 if edit.end.line > edit.start.line and edit.end.character == 0 else edit.end.line
    end = wanted.end.line - 1 if wanted.end.line > wanted.start.line and wanted.end.character == 0 else wanted.end.line
    return edit.start.line <= end and last >= wanted.start.line
