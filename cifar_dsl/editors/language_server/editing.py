"""Edits of texts in the form of the protocol."""

from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import accumulate
from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.unchanged import Unchanged
from cifar_dsl.language.diagnostics import Edit
from cifar_dsl.language.source import Source, Span

_MOST_COMPARED = 1_000_000  # pairs of lines


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
    """The edits that turn a source into `text`, one for each run of lines that differ, so that cursors stay in place.

    If very many lines differ, one edit replaces them all.
    """
    unchanged = Unchanged.between(source.text, text)
    at, end = unchanged.head_end, unchanged.tail_start
    old = source.text[at:end].splitlines(keepends=True)
    new = text[at : end + unchanged.shift].splitlines(keepends=True)
    if len(old) * len(new) > _MOST_COMPARED:
        return [Edit(Span(source, at, end), "".join(new))]
    ends = list(accumulate(map(len, old), initial=at))
    return [
        Edit(Span(source, ends[first], ends[last]), "".join(new[start:stop]))
        for tag, first, last, start, stop in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
