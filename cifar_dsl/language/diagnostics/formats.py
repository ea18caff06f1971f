"""The output formats concise, JSON, GitHub annotations and SARIF."""

import json
from collections.abc import Iterable

from cifar_dsl.language.diagnostics.codes import known_codes
from cifar_dsl.language.diagnostics.model import Diagnostic, Fix
from cifar_dsl.language.diagnostics.render import visible
from cifar_dsl.language.source import Span

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_concise(diagnostic: Diagnostic) -> str:
    """One line: place, code, message."""
    place = f"{diagnostic.label.span}: " if diagnostic.label else ""
    return visible(f"{place}{diagnostic.code} {diagnostic.message}")


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """A JSON array with one object for each diagnostic; lines and columns count from 1."""
    return json.dumps([_as_data(diagnostic) for diagnostic in diagnostics], indent=2)


def render_github(diagnostic: Diagnostic) -> str:
    """A workflow command, which GitHub shows next to the line in a pull request.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    properties = {"title": f"{diagnostic.code} {known_codes()[diagnostic.code].title}"}
    if diagnostic.label:
        place = _place(diagnostic.label.span)
        properties |= {
            "file": str(place["file"]),
            "line": str(place["line"]),
            "col": str(place["column"]),
            "endLine": str(place["end_line"]),
            "endColumn": str(place["end_column"]),
        }
    inside = ",".join(f"{name}={_escaped(visible(value), in_property=True)}" for name, value in properties.items())
    message = "\n".join(map(visible, [diagnostic.message, *(f"help: {text}" for text in diagnostic.help)]))
    return f"::{diagnostic.severity} {inside}::{_escaped(message)}"


def _escaped(text: str, *, in_property: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if in_property else text


def render_sarif(diagnostics: Iterable[Diagnostic]) -> str:
    """A SARIF 2.1.0 log; https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html."""
    from cifar_dsl.foundation.version import __version__  # reads package metadata, which is slow

    found = list(diagnostics)
    used = sorted({diagnostic.code for diagnostic in found})
    driver = {
        "name": "cifar-dsl",
        "version": __version__,
        "rules": [
            {
                "id": code,
                "shortDescription": {"text": known_codes()[code].title},
                "fullDescription": {"text": known_codes()[code].reason or known_codes()[code].title},
                "defaultConfiguration": {"level": known_codes()[code].severity},
            }
            for code in used
        ],
    }
    results = [_result(diagnostic, used.index(diagnostic.code)) for diagnostic in found]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(diagnostic: Diagnostic, rule: int) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": {"text": ". ".join([diagnostic.message, *diagnostic.help])},
    }
    if diagnostic.label:
        result["locations"] = [_location(diagnostic.label.span, diagnostic.label.text)]
    if diagnostic.secondary:
        result["relatedLocations"] = [_location(label.span, label.text) for label in diagnostic.secondary]
    if diagnostic.fixes:
        result["fixes"] = [_sarif_fix(fix) for fix in diagnostic.fixes]
    return result


def _location(span: Span, text: str) -> dict[str, object]:
    location: dict[str, object] = {
        "physicalLocation": {"artifactLocation": {"uri": _uri(span)}, "region": _region(span)}
    }
    return location | {"message": {"text": text}} if text else location


def _uri(span: Span) -> str:
    from urllib.parse import quote

    return quote(span.source.name.replace("\\", "/"))


def _region(span: Span) -> dict[str, int]:
    place = _place(span)
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": int(str(place["end_line"])),
        "endColumn": int(str(place["end_column"])),
    }


def _sarif_fix(fix: Fix) -> dict[str, object]:
    changes: dict[str, list[dict[str, object]]] = {}
    for edit in fix.edits:
        change = {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.replacement}}
        changes.setdefault(_uri(edit.span), []).append(change)
    return {
        "description": {"text": fix.title},
        "artifactChanges": [
            {"artifactLocation": {"uri": uri}, "replacements": replacements} for uri, replacements in changes.items()
        ],
    }


def _as_data(diagnostic: Diagnostic) -> dict[str, object]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "title": known_codes()[diagnostic.code].title,
        "message": diagnostic.message,
        "labels": [
            _place(label.span) | {"text": label.text, "primary": label is diagnostic.label}
            for label in ([diagnostic.label] if diagnostic.label else []) + list(diagnostic.secondary)
        ],
        "notes": list(diagnostic.notes),
        "why": known_codes()[diagnostic.code].reason,
        "help": list(diagnostic.help),
        "fixes": [
            {
                "title": fix.title,
                "safe": fix.is_safe,
                "edits": [_place(edit.span) | {"replacement": edit.replacement} for edit in fix.edits],
            }
            for fix in diagnostic.fixes
        ],
    }


def _place(span: Span) -> dict[str, object]:
    end_line, end_column = span.source.position(span.end)
    return {
        "file": span.source.name,
        "line": span.line,
        "column": span.column,
        "end_line": end_line,
        "end_column": end_column,
    }
