"""Edits of texts in the form of the protocol."""

from collections.abc import Iterable
from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.unchanged import Unchanged
from cifar_dsl.language.diagnostics import Edit
from cifar_dsl.language.source import Source, Span


def text_edit(documents: Documents, path: Path, edit: Edit) -> types.TextEdit:
    """An edit of the file at `path`, with the file's own line endings."""
    text = edit.replacement.replace("\n", documents.line_end(path))
    return types.TextEdit(documents.positions.range(edit.span), text)


def workspace_edit(documents: Documents, edits: Iterable[tuple[Path, Edit]]) -> types.WorkspaceEdit:
    """Edits of several files."""
    changes: dict[str, list[types.TextEdit]] = {}
    for path, edit in edits:
        changes.setdefault(documents.uri(path), []).append(text_edit(documents, path, edit))
    return types.WorkspaceEdit(changes)


def changed_lines(source: Source, text: str) -> list[Edit]:
    """The edit that turns a source into `text`: it replaces the lines from the first to the last that differ."""
    unchanged = Unchanged.between(source.text, text)
    start, end = unchanged.head_end, unchanged.tail_start
    edit = Edit(Span(source, start, end), text[start : end + unchanged.shift])
    return [edit] if edit.span.text != edit.replacement else []
