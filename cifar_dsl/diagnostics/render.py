"""Diagnostics as text for people: excerpts with the places underlined."""

import unicodedata

from attrs import frozen

from cifar_dsl.diagnostics.codes import CODES
from cifar_dsl.diagnostics.model import Diagnostic, Label

_LONGEST = 160  # characters of a line that are shown


def render_full(diagnostic: Diagnostic, *, color: bool = False) -> str:
    """The excerpt with the place underlined, why, and what to type instead; `color`: with ANSI's colours."""
    paint = _Paint(diagnostic.severity if color else None)
    head = paint.strong(f"{diagnostic.severity}[{diagnostic.code}]") + paint.bold(f": {visible(diagnostic.message)}")
    lines = [head]
    labels = [diagnostic.label, *diagnostic.secondary] if diagnostic.label else list(diagnostic.secondary)
    width = max((len(str(label.span.line)) for label in labels), default=1)
    margin = " " * width
    for i, (name, group) in enumerate(_by_source(labels)):
        primary = diagnostic.label if i == 0 else None
        first = primary.span if primary else group[0].span
        arrow = paint.dim(f"{margin}{'-->' if i == 0 else ':::'}")
        lines.append(f"{arrow} {visible(name)}:{first.line}:{first.column}")
        lines.append(paint.dim(f"{margin} |"))
        lines.extend(_excerpt(group, primary, width, paint))
        lines.append(paint.dim(f"{margin} |"))
    mark = paint.dim(f"{margin} =")
    lines.extend(f"{mark} {visible(note)}" for note in diagnostic.notes)
    lines.append(f"{mark} {paint.bold('why')}: {CODES[diagnostic.code].reason}")
    lines.extend(f"{mark} {paint.bold('help')}: {visible(text)}" for text in diagnostic.help)
    return "\n".join(lines)


@frozen
class _Paint:
    """Colours for the parts of a rendering; none where `severity` is None."""

    severity: str | None

    def strong(self, text: str) -> str:
        return self._with("1;31" if self.severity == "error" else "1;33", text)

    def bold(self, text: str) -> str:
        return self._with("1", text)

    def dim(self, text: str) -> str:
        return self._with("34", text)

    def _with(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.severity else text


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


def _excerpt(labels: list[Label], primary: Label | None, width: int, paint: _Paint) -> list[str]:
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
            lines.append(f"{paint.dim(f'{number:>{width}} |')} {_shown(text)}".rstrip())
        start = min(max(0, start - cut), len(text))
        end = min(len(text), start + max(1, label.span.end - label.span.start))
        mark = ("^" if label is primary else "-") * max(1, _columns(text[start:end]))
        under = f"{mark} {visible(label.text)}".rstrip()
        under = paint.strong(under) if label is primary else paint.dim(under)
        lines.append(f"{paint.dim(' ' * width + ' |')} {' ' * _columns(text[:start])}{under}")
        previous = number
    return lines


def _shown(text: str) -> str:
    return visible(text.replace("\t", "    "))


def _columns(text: str) -> int:
    """How many columns of a terminal `text` takes as `_shown` shows it."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in _shown(text)
    )
