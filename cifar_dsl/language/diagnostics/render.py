"""The output format for people: excerpts of the text with underlined places."""

import unicodedata

from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics.codes import known_codes
from cifar_dsl.language.diagnostics.model import Diagnostic, Label

CHECK = "cifar-dsl check "  # the command that applies fixes
_LONGEST = 160  # characters shown of a line


def render_full(diagnostic: Diagnostic, *, color: bool = False, encoding: str = "utf-8", fixing: str = "") -> str:
    """The message, an excerpt with underlined places, notes, the reason, help, and whether a program can fix it.

    `color`: use ANSI colours. Characters that `encoding` lacks are escaped; columns count the escaped text.
    `fixing`: the command, if not the running one, that has the option `--fix`.
    """
    style = _Style(diagnostic.severity if color else None, encoding)
    head = style.strong(f"{diagnostic.severity}[{diagnostic.code}]") + style.bold(
        f": {style.shown(diagnostic.message)}"
    )
    lines = [head]
    labels = [diagnostic.label, *diagnostic.secondary] if diagnostic.label else list(diagnostic.secondary)
    width = max((len(str(label.span.line)) for label in labels), default=1)
    margin = " " * width
    for i, (name, group) in enumerate(_by_source(labels)):
        primary = diagnostic.label if i == 0 else None
        first = primary.span if primary else group[0].span
        arrow = style.dim(f"{margin}{'-->' if i == 0 else ':::'}")
        place = "" if first.source.is_override else f":{first.line}:{first.column}"  # the user typed one line of it
        lines.append(f"{arrow} {style.shown(name)}{place}")
        lines.append(style.dim(f"{margin} |"))
        lines.extend(_excerpt(group, primary, width, style))
        lines.append(style.dim(f"{margin} |"))
    mark = style.dim(f"{margin} =")
    lines.extend(f"{mark} {style.shown(note)}" for note in diagnostic.notes)
    if reason := known_codes()[diagnostic.code].reason:
        lines.append(f"{mark} {style.bold('why')}: {reason}")
    lines.extend(f"{mark} {style.bold('help')}: {style.shown(text)}" for text in diagnostic.help)
    if options := diagnostic.fix_options:
        lines.append(f"{mark} fixable with `{fixing}{options}`")
    return "\n".join(lines)


@frozen
class _Style:
    """The style of a rendering: without colours if `severity` is None, in the characters of `encoding`."""

    severity: str | None
    encoding: str

    def strong(self, text: str) -> str:
        return self._with("1;31" if self.severity == "error" else "1;33", text)

    def bold(self, text: str) -> str:
        return self._with("1", text)

    def dim(self, text: str) -> str:
        return self._with("34", text)

    def _with(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.severity else text

    def shown(self, text: str) -> str:
        return visible(text).encode(self.encoding, "backslashreplace").decode(self.encoding)

    def line(self, text: str) -> str:
        """Part of a line of an excerpt, as shown."""
        return self.shown(text.replace("\t", "    "))

    def columns(self, text: str) -> int:
        """The width of part of a line, in terminal columns."""
        return sum(
            0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
            for c in self.line(text)
        )


def visible(text: str) -> str:
    """`text` with control and bidirectional characters escaped, so that it can't control the terminal."""
    if text.isascii() and text.isprintable():  # the usual case, quickly
        return text
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


def _excerpt(labels: list[Label], primary: Label | None, width: int, style: _Style) -> list[str]:
    """The lines of the labels, each followed by its underlines."""
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
            lines.append(f"{style.dim(f'{number:>{width}} |')} {style.line(text)}".rstrip())
        start = min(max(0, start - cut), len(text))
        end = min(len(text), start + max(1, label.span.end - label.span.start))
        mark = ("^" if label is primary else "-") * max(1, style.columns(text[start:end]))
        under = f"{mark} {style.shown(label.text)}".rstrip()
        under = style.strong(under) if label is primary else style.dim(under)
        lines.append(f"{style.dim(' ' * width + ' |')} {' ' * style.columns(text[:start])}{under}")
        previous = number
    return lines
