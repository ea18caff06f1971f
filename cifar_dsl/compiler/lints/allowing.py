"""Comments that allow a warning: `# allow: W0203`."""

import re
from collections.abc import Iterable

from attrs import define, field

from cifar_dsl.language.diagnostics import Diagnostic, Edit, Fix, Label, known_codes
from cifar_dsl.language.source import Source, Span

_COMMENT = re.compile(r'"[^"\n]*"|(?P<comment>#[^\n]*)')
_ALLOW = re.compile(r"#\s*allow:\s*(?P<codes>[A-Za-z0-9]+(?:\s*,\s*[A-Za-z0-9]+)*)")
_CODE = re.compile(r"[A-Za-z0-9]+")


@define
class _Allowed:
    """A code that a comment allows, on `line`, or in the whole file if `line` is None."""

    code: str
    line: int | None
    span: Span
    is_used: bool = field(default=False, init=False)

    def allows(self, diagnostic: Diagnostic) -> bool:
        assert diagnostic.label is not None
        return diagnostic.code == self.code and self.line in {None, diagnostic.label.span.line}


def without_allowed(diagnostics: Iterable[Diagnostic], source: Source) -> list[Diagnostic]:
    """The warnings that no comment allows, and a warning for every unused comment."""
    allowed = _allowed(source)
    left: list[Diagnostic] = []
    for diagnostic in diagnostics:
        passing = [one for one in allowed if one.allows(diagnostic)]
        for one in passing:
            one.is_used = True
        if not passing:
            left.append(diagnostic)
    return left + [_unused(one) for one in allowed if not one.is_used]


def _allowed(source: Source) -> list[_Allowed]:
    """A comment applies to its line; on a line of its own, to the next line of code; above the header, to the file."""
    found: list[_Allowed] = []
    for match in _COMMENT.finditer(source.text):
        start = match.start("comment")
        allow = _ALLOW.match(match["comment"]) if start >= 0 else None
        if allow is None:
            continue
        line = _line_meant(source, start)
        for code in _CODE.finditer(source.text, start + allow.start("codes"), start + allow.end("codes")):
            found.append(_Allowed(code[0], line, Span(source, code.start(), code.end())))  # noqa: PERF401  # nested
    return found


def _line_meant(source: Source, start: int) -> int | None:
    line = source.position(start)[0]
    if source.text[source.line_start(line) : start].strip():
        return line
    if not re.sub(r"#[^\n]*", "", source.text[:start]).strip():
        return None
    for later, text in enumerate(source.text[start:].split("\n"), start=line):
        if text.strip() and not text.lstrip().startswith("#"):
            return later
    return line


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
