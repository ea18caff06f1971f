"""What an editor can do about errors and warnings: their fixes, and comments that let warnings pass."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.editing import difference, workspace_edit
from cifar_dsl.editors.language_server.findings import file_of, finding, range_of
from cifar_dsl.language.diagnostics import Diagnostic, Edit
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax.cursor import tokens_of

FIX_ALL = "source.fixAll.cifar-dsl"
KINDS: list[types.CodeActionKind | str] = [types.CodeActionKind.QuickFix, FIX_ALL]
_ALLOW = "# allow: "


def code_actions(
    documents: Documents, path: Path, wanted: types.Range, only: Sequence[types.CodeActionKind | str] | None
) -> list[types.CodeAction]:
    """What can be done about what is said of a range; `only` are the kinds that are asked for, None is all."""
    found: list[types.CodeAction] = []
    if _is_wanted(types.CodeActionKind.QuickFix.value, only):
        for diagnostic in documents.inspection(path).diagnostics:
            if _overlap(range_of(documents, path, diagnostic), wanted):
                found.extend(_quick_fixes(documents, path, diagnostic))
    if _is_wanted(FIX_ALL, only):
        found.extend(_fix_all(documents, path))
    return found


def _is_wanted(kind: str, only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Whether a kind is among those asked for, each of which stands for those below it too."""
    names = [one.value if isinstance(one, types.CodeActionKind) else one for one in only or ()]
    return only is None or any(not name or f"{kind}.".startswith(f"{name}.") for name in names)


def _overlap(one: types.Range, other: types.Range) -> bool:
    return one.start <= other.end and other.start <= one.end


def _quick_fixes(documents: Documents, path: Path, diagnostic: Diagnostic) -> Iterator[types.CodeAction]:
    said = [finding(documents, path, diagnostic)]
    for fix in diagnostic.fixes:
        edits = [(file_of(edit.span), edit) for edit in fix.edits]
        if all(documents.is_editable(file) for file, _ in edits):
            yield types.CodeAction(
                f"{fix.title[0].upper()}{fix.title[1:]}",
                kind=types.CodeActionKind.QuickFix,
                diagnostics=said,
                is_preferred=len(diagnostic.fixes) == 1,
                edit=workspace_edit(documents, edits),
            )
    label = diagnostic.label
    if diagnostic.severity == "warning" and diagnostic.code != "W0101" and label and file_of(label.span) == path:
        yield types.CodeAction(
            f"Allow {diagnostic.code} here",
            kind=types.CodeActionKind.QuickFix,
            diagnostics=said,
            edit=workspace_edit(documents, [(path, _allowing(label.span, diagnostic.code))]),
        )


def _allowing(place: Span, code: str) -> Edit:
    """The comment that lets a warning pass: at the end of its line or, where another stands there, above it."""
    source = place.source
    start = source.line_start(place.line)
    text = source.line_text(place.line)
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
    """All fixes that leave the meaning of the spec as it is."""
    source = documents.source(path)
    edits = difference(source, documents.mended(path)) if source else []
    if edits:
        yield types.CodeAction(
            "Mend what can be mended without a change of meaning",
            kind=FIX_ALL,
            edit=workspace_edit(documents, [(path, edit) for edit in edits]),
        )
