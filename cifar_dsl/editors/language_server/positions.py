"""Convert between offsets in a text and positions of the protocol: a line, and a column in units of an encoding."""

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
    """Normalize an editor's text as `Source` does: no byte order mark, CRLF or unpaired surrogate."""
    return text.encode(errors="replace").decode().removeprefix("\ufeff").replace("\r\n", "\n")


@frozen
class Positions:
    """Converts between offsets and positions, in the encoding agreed with the editor: utf-8, utf-16 or utf-32."""

    encoding: str = "utf-16"

    def position(self, text: str, offset: int) -> types.Position:
        """The position of the character at `offset`."""
        line = text.count("\n", 0, offset) + text.count("\r", 0, offset)
        start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
        return types.Position(line, self._width(text[start:offset]))

    def after(self, start: types.Position, text: str) -> types.Position:
        """The position at the end of a text that starts at a position."""
        lines = _LINE_END.split(text)
        column = self._width(lines[-1])
        if len(lines) == 1:
            return types.Position(start.line, start.character + column)
        return types.Position(start.line + len(lines) - 1, column)

    def offset(self, text: str, position: types.Position) -> int:
        """The offset of a position, or the nearest offset if the text has no such position."""
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
