"""Changes of texts as an editor makes them."""

from collections.abc import Iterable
from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.unchanged import Unchanged
from cifar_dsl.language.diagnostics import Edit
from cifar_dsl.language.source import Source, Span


def text_edit(documents: Documents, path: Path, edit: Edit) -> types.TextEdit:
    """A change of the file at `path`, which keeps the way in which its lines end."""
    text = edit.replacement.replace("\n", documents.line_end(path))
    return types.TextEdit(documents.positions.range(edit.span), text)


def workspace_edit(documents: Documents, edits: Iterable[tuple[Path, Edit]]) -> types.WorkspaceEdit:
    """Changes of several files."""
    changes: dict[str, list[types.TextEdit]] = {}
    for path, edit in edits:
        changes.setdefault(documents.uri(path), []).append(text_edit(documents, path, edit))
    return types.WorkspaceEdit(changes)


def difference(source: Source, text: str) -> list[Edit]:
    """What makes `text` of a source: one change, of all the lines from the first that differs to the last."""
    unchanged = Unchanged.between(source.text, text)
    edit = Edit(
        Span(source, unchanged.before, unchanged.behind), text[unchanged.before : unchanged.behind + unchanged.shift]
    )
    return [edit] if edit.span.text != edit.replacement else []
