"""Comments that allow a warning: `# allow: W0203`."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Diagnostic, Edit, Fix, Label, known_codes
from cifar_dsl.language.source import Source, Span

_COMMENT = re.compile(r'"[^"\n]*"|(?P<comment>#[^\n]*)')
_ALLOW = re.compile(r"#\s*allow:\s*(?P<codes>[A-Za-z0-9]+(?:\s*,\s*[A-Za-z0-9]+)*)")
_CODE = re.compile(r"[A-Za-z0-9]+")
_NO_CODE = re.compile(r"\s*(?:#.*)?")


@frozen
class _Allowed:
    """A code that a comment allows, on `line`, or in the whole file if `line` is None."""

    code: str
    line: int | None
    span: Span


def without_allowed(diagnostics: Iterable[Diagnostic], source: Source) -> list[Diagnostic]:
    """The warnings that no comment allows, and a warning for every unused comment."""
    allowed = _allowed(source)
    places = {(one.code, one.line) for one in allowed}
    used: set[tuple[str, int | None]] = set()
    left: list[Diagnostic] = []
    for diagnostic in diagnostics:
        assert diagnostic.label is not None
        span = diagnostic.label.span  # perhaps of an override, whose lines aren't those of the file
        passing = places & {(diagnostic.code, None), (diagnostic.code, span.line if span.source is source else None)}
        used |= passing
        if not passing:
            left.append(diagnostic)
    return left + [_unused(one) for one in allowed if (one.code, one.line) not in used]


def _allowed(source: Source) -> list[_Allowed]:
    """A comment applies to its line; on a line of its own, to the next line of code; above the header, to the file."""
    found: list[_Allowed] = []
    code_lines = [i for i in range(1, source.lines + 1) if not _NO_CODE.fullmatch(source.line_text(i))]
    for match in _COMMENT.finditer(source.text):
        start = match.start("comment")
        allow = _ALLOW.match(match["comment"]) if start >= 0 else None
        if allow is None:
            continue
        line = _line_meant(source.position(start)[0], code_lines)
        for code in _CODE.finditer(source.text, start + allow.start("codes"), start + allow.end("codes")):
            found.append(_Allowed(code[0], line, Span(source, code.start(), code.end())))  # noqa: PERF401  # nested
    return found


def _line_meant(line: int, code_lines: Sequence[int]) -> int | None:
    """The line that a comment on `line` applies to, of the lines with code; None for the whole file."""
    at = bisect_left(code_lines, line)
    if at == 0 and line not in code_lines[:1]:
        return None
    return code_lines[at] if at < len(code_lines) else line


def _unused(allowed: _Allowed) -> Diagnostic:
    if allowed.code in known_codes() and not allowed.code.startswith("W"):
        message, help_text = f"`{allowed.code}` is an error, and only warnings can be allowed", "fix the error instead"
    elif allowed.code not in known_codes():
        message, help_text = f"unknown warning `{allowed.code}`", "`cifar-dsl explain` lists all codes"
    else:
        message, help_text = f"`{allowed.code}` is allowed here, but nothing here causes it", "delete it"
    return Diagnostic("W0101", message, Label(allowed.span), help=(help_text,), fixes=_deletion(allowed.span))


def _deletion(span: Span) -> tuple[Fix, ...]:
    """The fix that deletes a comment that consists of a single code; no fix for other comments."""
    text = span.source.text
    start = text.rindex("#", 0, span.start)
    end = text.find("\n", start)
    end = len(text) if end < 0 else end
    if text[start:end].removeprefix("#").split(":", 1)[1].strip() != span.text:
        return ()
    while start and text[start - 1] in " \t":
        start -= 1
    if (start == 0 or text[start - 1] == "\n") and end < len(text):
        end += 1  # the line has nothing else
    return (Fix("delete the comment", (Edit(Span(span.source, start, end), ""),), is_safe=True),)
