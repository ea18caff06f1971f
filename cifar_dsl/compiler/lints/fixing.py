"""Applies fixes to a text."""

from collections.abc import Iterable

from cifar_dsl.language.diagnostics import Diagnostic, Edit
from cifar_dsl.language.source import Source


def fixed(source: Source, diagnostics: Iterable[Diagnostic], *, also_unsafe: bool = False) -> str:
    """The text with the first fix of each diagnostic applied.

    Skips a fix that overlaps an earlier one or edits another file.
    """
    taken: list[Edit] = []
    for diagnostic in diagnostics:
        fixes = [fix for fix in diagnostic.fixes if fix.is_safe or also_unsafe]
        edits = fixes[0].edits if fixes else ()
        if all(edit.span.source is source and not any(_touch(edit, other) for other in taken) for edit in edits):
            taken.extend(edits)
    text = source.text
    for edit in sorted(taken, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.replacement + text[edit.span.end :]
    return text


def _touch(one: Edit, other: Edit) -> bool:
    return one.span.start <= other.span.end and other.span.start <= one.span.end
