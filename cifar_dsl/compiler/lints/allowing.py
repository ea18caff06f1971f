"""Comments that let a warning pass: `# allow: W0203`."""

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
    """A code that a comment allows, at `line`, or in the whole file where that is None."""

    code: str
    line: int | None
    span: Span
    is_used: bool = field(default=False, init=False)

    def lets_pass(self, diagnostic: Diagnostic) -> bool:
        assert diagnostic.label is not None
        return diagnostic.code == self.code and self.line in {None, diagnostic.label.span.line}


def without_allowed(diagnostics: Iterable[Diagnostic], source: Source) -> list[Diagnostic]:
    """The warnings that no comment allows, and one for every comment that allows nothing."""
    allowed = _allowed(source)
    left: list[Diagnostic] = []
    for diagnostic in diagnostics:
        passing = [one for one in allowed if one.lets_pass(diagnostic)]
        for one in passing:
            one.is_used = True
        if not passing:
            left.append(diagnostic)
    return left + [_needless(one) for one in allowed if not one.is_used]


def _allowed(source: Source) -> list[_Allowed]:
    """A comment speaks of its line; alone on a line, of the next with code; above the head, of the file."""
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


def _needless(allowed: _Allowed) -> Diagnostic:
    if allowed.code in known_codes() and not allowed.code.startswith("W"):
        message, help_text = f"`{allowed.code}` is an error, which can't be allowed", "mend what it says"
    elif allowed.code not in known_codes():
        message, help_text = f"there is no warning `{allowed.code}`", "`cifar-dsl explain` lists all codes"
    else:
        message, help_text = f"`{allowed.code}` is allowed here and is not given here", "delete it"
    return Diagnostic("W0101", message, Label(allowed.span), help=(help_text,), fixes=_deletion(allowed.span))


def _deletion(span: Span) -> tuple[Fix, ...]:
    """The fix that deletes a comment which allows one code; others are left to the author."""
    text = span.source.text
    start = text.rindex("#", 0, span.start)
    end = text.find("\n", start)
    end = len(text) if end < 0 else end
    if text[start:end].removeprefix("#").split(":", 1)[1].strip() != span.text:
        return ()
    while start and text[start - 1] in " \t":
        start -= 1
    if (start == 0 or text[start - 1] == "\n") and end < len(text):
        end += 1  # nothing else stands on the line
    return (Fix("delete the comment", (Edit(Span(span.source, start, end), ""),), is_safe=True),)
