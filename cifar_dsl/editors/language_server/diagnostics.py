"""Errors and warnings in the form of the protocol."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from lsprotocol import types

from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.foundation.resources import diagnostics_path
from cifar_dsl.language.diagnostics import Diagnostic, Label, known_codes
from cifar_dsl.language.diagnostics.render import visible
from cifar_dsl.language.source import Span

SOURCE = "cifar-dsl"
_UNNECESSARY = frozenset(["W0101", "W0201", "W0202"])  # code without effect; editors fade it
_START = types.Position(0, 0)


def diagnostics(documents: Documents, path: Path) -> list[types.Diagnostic]:
    """The diagnostics of a file; those of each base are merged into one, shown where this file names the base."""
    own: list[Diagnostic] = []
    of_bases: dict[Path, list[Diagnostic]] = {}
    for diagnostic in documents.inspection(path).diagnostics:
        file = file_of(diagnostic.label.span) if diagnostic.label else path
        if file == path:
            own.append(diagnostic)
        else:
            of_bases.setdefault(file, []).append(diagnostic)
    converted = [lsp_diagnostic(documents, path, diagnostic) for diagnostic in own]
    return converted + [_of_base(documents, path, file, group) for file, group in of_bases.items()]


def range_of(documents: Documents, path: Path, diagnostic: Diagnostic) -> types.Range:
    """The range in the file at `path` where a diagnostic is shown."""
    labels = [diagnostic.label, *diagnostic.secondary] if diagnostic.label else list(diagnostic.secondary)
    spans = [label.span for label in labels if file_of(label.span) == path]
    tree = documents.tree(path)
    if not spans and tree is not None and tree.header.base is not None:
        spans = [tree.header.base.span]
    return documents.positions.range(spans[0]) if spans else types.Range(_START, _START)


def lsp_diagnostic(documents: Documents, path: Path, diagnostic: Diagnostic) -> types.Diagnostic:
    """Convert a diagnostic of the file at `path`."""
    label = diagnostic.label.text if diagnostic.label else ""
    lines = [diagnostic.message, label, *diagnostic.notes, *(f"help: {text}" for text in diagnostic.help)]
    return types.Diagnostic(
        range=range_of(documents, path, diagnostic),
        message=_shown(documents, path, lines),
        severity=_severity(diagnostic),
        code=diagnostic.code,
        code_description=_description(diagnostic.code),
        source=SOURCE,
        tags=[types.DiagnosticTag.Unnecessary] if diagnostic.code in _UNNECESSARY else None,
        related_information=list(_related(documents, path, diagnostic.secondary)) or None,
    )


def _of_base(documents: Documents, path: Path, base: Path, group: list[Diagnostic]) -> types.Diagnostic:
    """One diagnostic for all of a base."""
    first = group[0]
    rest = f", and {len(group) - 1} more" if len(group) > 1 else ""
    lines = [f"in {documents.name(base)}: {first.message}{rest}", *(f"help: {text}" for text in first.help)]
    labels = [Label(one.label.span, one.message) for one in group if one.label]
    return types.Diagnostic(
        range=range_of(documents, path, first),
        message=_shown(documents, path, lines),
        severity=_severity(first),
        code=first.code,
        code_description=_description(first.code),
        source=SOURCE,
        related_information=list(_related(documents, path, [*labels, *first.secondary])),
    )


def _severity(diagnostic: Diagnostic) -> types.DiagnosticSeverity:
    is_error = diagnostic.severity == "error"
    return types.DiagnosticSeverity.Error if is_error else types.DiagnosticSeverity.Warning


def _related(documents: Documents, path: Path, labels: Iterable[Label]) -> Iterator[types.DiagnosticRelatedInformation]:
    for label in labels:
        location = types.Location(documents.uri(file_of(label.span)), documents.positions.range(label.span))
        yield types.DiagnosticRelatedInformation(location, _shown(documents, path, [label.text or "see here"]))


def file_of(span: Span) -> Path:
    """The file of a span."""
    return Path(span.source.name).resolve()


def _shown(documents: Documents, path: Path, lines: Iterable[str]) -> str:
    """The lines as one text, with paths relative to the root."""
    root = f"{documents.root(path)}{os.sep}"
    return "\n".join(visible(line).replace(root, "") for line in lines if line)


def _description(code: str) -> types.CodeDescription:
    """A link to the section of the code in docs/diagnostics.md."""
    return types.CodeDescription(f"{diagnostics_path().as_uri()}#L{known_codes()[code].line}")
