"""Diagnostics as text for people (full, concise) and for programs (JSON)."""

import json
import unicodedata
from collections.abc import Iterable

from cifar_dsl.diagnostics.codes import CODES
from cifar_dsl.diagnostics.model import Diagnostic, Label
from cifar_dsl.source import Span

_LONGEST = 160  # characters of a line that are shown


def render_full(diagnostic: Diagnostic) -> str:
    """The excerpt with the place underlined, why, and what to type instead."""
    lines = [f"error[{diagnostic.code}]: {visible(diagnostic.message)}"]
    labels = [diagnostic.label, *diagnostic.secondary] if diagnostic.label else list(diagnostic.secondary)
    width = max((len(str(label.span.line)) for label in labels), default=1)
    margin = " " * width
    for i, (name, group) in enumerate(_by_source(labels)):
        primary = diagnostic.label if i == 0 else None
        head = primary.span if primary else group[0].span
        lines.append(f"{margin}{'-->' if i == 0 else ':::'} {visible(name)}:{head.line}:{head.column}")
        lines.append(f"{margin} |")
        lines.extend(_excerpt(group, primary, width))
        lines.append(f"{margin} |")
    lines.extend(f"{margin} = {visible(note)}" for note in diagnostic.notes)
    lines.append(f"{margin} = why: {CODES[diagnostic.code].reason}")
    lines.extend(f"{margin} = help: {visible(text)}" for text in diagnostic.help)
    return "\n".join(lines)


def render_concise(diagnostic: Diagnostic) -> str:
    """One line: place, code, message."""
    place = f"{diagnostic.label.span}: " if diagnostic.label else ""
    return visible(f"{place}{diagnostic.code} {diagnostic.message}")


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """A JSON array with one object for each diagnostic; lines and columns count from 1."""
    return json.dumps([_as_data(diagnostic) for diagnostic in diagnostics], indent=2)


def visible(text: str) -> str:
    """`text` with control and bidirectional characters escaped, so that it can't act on a terminal."""
    return "".join(
        _escape(character) if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else character
        for character in text
    )


def _escape(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"


def _by_source(labels: list[Label]) -> list[tuple[str, list[Label]]]:
    groups: dict[str, list[Label]] = {}
    for label in labels:
        groups.setdefault(label.span.source.name, []).append(label)
    return list(groups.items())


def _excerpt(labels: list[Label], primary: Label | None, width: int) -> list[str]:
    """The lines that the labels stand on, each followed by its underlines."""
    lines: list[str] = []
    previous = cut = 0
    text = ""
    for label in sorted(labels, key=lambda item: item.span.start):
        number = label.span.line
        if previous and number > previous + 1:
            lines.append("...")
        start = label.span.column - 1
        if number != previous:
            whole = label.span.source.line_text(number)
            cut = max(0, min(start - _LONGEST // 2, len(whole) - _LONGEST))  # the part of a long line around the place
            text = whole[cut : cut + _LONGEST]
            lines.append(f"{number:>{width}} | {_shown(text)}".rstrip())
        start = min(max(0, start - cut), len(text))
        end = min(len(text), start + max(1, label.span.end - label.span.start))
        under = ("^" if label is primary else "-") * max(1, _columns(text[start:end]))
        lines.append(f"{' ' * width} | {' ' * _columns(text[:start])}{under} {visible(label.text)}".rstrip())
        previous = number
    return lines


def _shown(text: str) -> str:
    return visible(text.replace("\t", "    "))


def _columns(text: str) -> int:
    """How many columns of a terminal `text` takes as `_shown` shows it."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in _shown(text)
    )


def _as_data(diagnostic: Diagnostic) -> dict[str, object]:
    return {
        "code": diagnostic.code,
        "title": CODES[diagnostic.code].title,
        "message": diagnostic.message,
        "labels": [
            _place(label.span) | {"text": label.text, "primary": label is diagnostic.label}
            for label in ([diagnostic.label] if diagnostic.label else []) + list(diagnostic.secondary)
        ],
        "notes": list(diagnostic.notes),
        "why": CODES[diagnostic.code].reason,
        "help": list(diagnostic.help),
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
