"""Markdown as editors show it. What a spec says goes in escaped: it may be a stranger's."""

import re
from collections.abc import Iterable, Sequence

from lsprotocol import types

_MARKS = re.compile(r"(?P<kept>`[^`]+`|https?://[^\s`()<>\[\]!|]+)|(?P<mark>[\\`*_{}\[\]()<>#!|~&]|^[-+=])")
_TICKS = re.compile(r"`+")


def plain_text(text: str) -> str:
    """Text in which nothing but code in ticks and bare links is Markdown: no picture, no markup."""
    return _MARKS.sub(lambda match: match["kept"] or f"\\{match['mark']}", text)


def code(text: str) -> str:
    """A block of code in the language's colours."""
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(text)), default=0))
    return f"{fence}arch\n{text}\n{fence}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table; the first row is its head, and columns behind the first are flush right."""
    head, *body = rows
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *body))


def content(parts: Iterable[str]) -> types.MarkupContent:
    """The parts that are not empty, one below the other."""
    return types.MarkupContent(types.MarkupKind.Markdown, "\n\n".join(part for part in parts if part))
