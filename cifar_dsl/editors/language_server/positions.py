"""Offsets in a text <-> positions of the protocol, which count lines and, in them, units of an encoding."""

import re
from collections.abc import Callable

from lsprotocol import types

from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.source import Span

_LINE_END = re.compile(r"[\n\r]")  # a Source has no \r\n
_WIDTHS: dict[str, Callable[[str], int]] = {
    "utf-8": lambda text: len(text.encode()),
    "utf-16": lambda text: len(text) + sum(character > "\uffff" for character in text),
    "utf-32": len,
}


def plain(text: str) -> str:
    """The text of an editor as `Source` holds one.

    It has no mark of the byte order, no carriage return before a new line, and no half of a surrogate pair.
    """
    return text.encode(errors="replace").decode().removeprefix("\ufeff").replace("\r\n", "\n")


@frozen
class Positions:
    """Converts between offsets and positions; `encoding` is utf-8, utf-16 or utf-32, as agreed with the editor."""

    encoding: str = "utf-16"

    def position(self, text: str, offset: int) -> types.Position:
        """The position of the character at `offset`."""
        line = text.count("\n", 0, offset) + text.count("\r", 0, offset)
        start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
        return types.Position(line, self._width(text[start:offset]))

    def offset(self, text: str, position: types.Position) -> int:
        """The offset of a position; the nearest one where there is none such."""
        start = 0
        for _ in range(position.line):
            end = _LINE_END.search(text, start)
            if end is None:
                return len(text)
            start = end.end()
        end = _LINE_END.search(text, start)
        line = text[start : end.start() if end else len(text)]
        width = 0
        for i, character in enumerate(line):
            width += self._width(character)
            if width > position.character:
                return start + i
        return start + len(line)

    def range(self, span: Span) -> types.Range:
        """The range of a span."""
        text = span.source.text
        return types.Range(self.position(text, span.start), self.position(text, span.end))

    def _width(self, text: str) -> int:
        return _WIDTHS[self.encoding](text)
