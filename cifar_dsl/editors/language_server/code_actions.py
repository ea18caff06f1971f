"""Quick fixes, comments that allow a warning, and the action that applies all safe fixes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server.diagnostics import SOURCE, file_of, lsp_diagnostic, range_of
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.editing import changed_lines, workspace_edit
from cifar_dsl.language.diagnostics import Diagnostic, Edit
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax.cursor import tokens_of

FIX_ALL = "source.fixAll.cifar-dsl"
KINDS: list[types.CodeActionKind | str] = [types.CodeActionKind.QuickFix, FIX_ALL]
_ALLOW = "# allow: "


def code_actions(
    documents: Documents,
    path: Path,
    wanted: types.Range,
    only: Sequence[types.CodeActionKind | str] | None,
    shown: Sequence[types.Diagnostic] = (),
) -> list[types.CodeAction]:
    """The actions for the diagnostics that the editor names as `shown`, or else for those in a range.

    An editor may ask for a whole line, or for the cursor beside what is wrong, and mean one diagnostic. `only` limits
    the kinds (None: all).
    """
    actions: list[types.CodeAction] = []
    if _is_wanted(types.CodeActionKind.QuickFix.value, only):
        meant = [(one.code, one.range) for one in shown if one.source == SOURCE]
        for diagnostic in documents.inspection(path).diagnostics:
            place = range_of(documents, path, diagnostic)
            if (diagnostic.code, place) in meant if meant else _overlap(place, wanted):
                actions.extend(_quick_fixes(documents, path, diagnostic))
    if _is_wanted(FIX_ALL, only):
        actions.extend(_fix_all(documents, path))
    return actions


def _is_wanted(kind: str, only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Whether `only` includes a kind; `source.fixAll` includes `source.fixAll.cifar-dsl`, None everything."""
    names = [one.value if isinstance(one, types.CodeActionKind) else one for one in only or ()]
    return only is None or any(not name or f"{kind}.".startswith(f"{name}.") for name in names)


def _overlap(one: types.Range, other: types.Range) -> bool:
    return one.start <= other.end and other.start <= one.end


def _quick_fixes(documents: Documents, path: Path, diagnostic: Diagnostic) -> Iterator[types.CodeAction]:
    fixed = [lsp_diagnostic(documents, path, diagnostic)]
    for fix in diagnostic.fixes:
        edits = [(file_of(edit.span), edit) for edit in fix.edits]
        if all(documents.is_editable(file) for file, _ in edits):
            yield types.CodeAction(
                f"{fix.title[0].upper()}{fix.title[1:]}",
                kind=types.CodeActionKind.QuickFix,
                diagnostics=fixed,
                is_preferred=len(diagnostic.fixes) == 1,
                edit=workspace_edit(documents, edits),
            )
    label = diagnostic.label
    if diagnostic.severity == "warning" and diagnostic.code != "W0101" and label and file_of(label.span) == path:
        yield types.CodeAction(
            f"Allow {diagnostic.code} here",
            kind=types.CodeActionKind.QuickFix,
            diagnostics=fixed,
            edit=workspace_edit(documents, [(path, _allow_comment(label.span, diagnostic.code))]),
        )


def _allow_comment(span: Span, code: str) -> Edit:
    """The edit that allows a warning: a comment at the end of its line, or above a line that already has a comment."""
    source = span.source
    start = source.line_start(span.line)
    text = source.line_text(span.line)
    last = next(reversed(tokens_of(text)), None)
    if last is None or last.kind != "comment":
        end = start + len(text.rstrip())
        return Edit(Span(source, end, end), f"  {_ALLOW}{code}")
    if last.text.startswith(_ALLOW):
        at = start + last.start + len(_ALLOW)
        return Edit(Span(source, at, at), f"{code}, ")
    indent = text[: len(text) - len(text.lstrip())]
    return Edit(Span(source, start, start), f"{indent}{_ALLOW}{code}\n")


def _fix_all(documents: Documents, path: Path) -> Iterator[types.CodeAction]:
    """One action with all safe fixes of the file."""
    source = documents.source(path)
    edits = changed_lines(source, documents.fixed_text(path)) if source else []
    if edits:
        yield types.CodeAction(
            "Apply all safe fixes",
            kind=FIX_ALL,
            edit=workspace_edit(documents, [(path, edit) for edit in edits]),
        )
