"""Build Markdown for editors. Text from a spec is escaped, since the spec may be untrusted."""

import re
from collections.abc import Iterable, Sequence

from lsprotocol import types

_MARKS = re.compile(r"(?P<kept>`[^`]+`|https?://[^\s`()<>\[\]!|]+)|(?P<mark>[\\`*_{}\[\]()<>#!|~&]|^[-+=])")
_TICKS = re.compile(r"`+")


def plain_text(text: str) -> str:
    """Escape a text, except code in backticks and bare links."""
    return _MARKS.sub(lambda match: match["kept"] or f"\\{match['mark']}", text)


def code(text: str) -> str:
    """A fenced code block, highlighted as arch."""
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(text)), default=0))
    return f"{fence}arch\n{text}\n{fence}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table; the first row is the header, and all columns but the first are right-aligned."""
    head, *body = rows
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *body))


def content(parts: Iterable[str]) -> types.MarkupContent:
    """The nonempty parts as paragraphs."""
    return types.MarkupContent(types.MarkupKind.Markdown, "\n\n".join(part for part in parts if part))
