"""Texts and places: `Source` is the text of one file, `Span` a part of it."""

from bisect import bisect_right
from functools import cached_property

from cifar_dsl.foundation.records import field, frozen


@frozen
class Source:
    """The text of one spec, or of one `--set` override.

    `name` is its name in messages: the path as the user wrote it, the flag of the override, or `<cell>` and the like
    for the text of no file. `is_library`: it belongs to the standard library, so errors are shown at its use.
    """

    name: str
    text: str = field(repr=False)
    is_library: bool = False

    @property
    def is_file(self) -> bool:
        """Whether it is the text of a file that its author can edit."""
        is_other = self.is_override or (self.name.startswith("<") and self.name.endswith(">"))
        return bool(self.name) and not self.is_library and not is_other

    @property
    def is_override(self) -> bool:
        """Whether it is the text of an override."""
        return self.name.startswith("--")

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(i + 1 for i, character in enumerate(self.text) if character == "\n")]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of the character at `offset`."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    @property
    def lines(self) -> int:
        """The number of lines."""
        return len(self._line_starts)

    def line_start(self, line: int) -> int:
        """Offset of the first character of `line` (from 1)."""
        return self._line_starts[line - 1]

    def line_text(self, line: int) -> str:
        """The text of `line` (from 1), without the line end."""
        start = self._line_starts[line - 1]
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end].rstrip("\r")


@frozen
class Span:
    """The characters `start` to `end` (exclusive) of a source."""

    source: Source
    start: int
    end: int

    def __hash__(self) -> int:
        return hash((self.start, self.end))  # without the source: names are looked up by their spans again and again

    @property
    def line(self) -> int:
        """The line of the first character, from 1."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """The column of the first character, from 1."""
        return self.source.position(self.start)[1]

    @property
    def text(self) -> str:
        """The characters themselves."""
        return self.source.text[self.start : self.end]

    def __contains__(self, other: "Span") -> bool:
        """Whether `other` lies completely inside."""
        return self.source is other.source and self.start <= other.start and other.end <= self.end

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


def comment_above(text: str, offset: int) -> str:
    """The comment lines directly above the line of `offset`, joined into one, without `allow:` comments."""
    comments: list[str] = []
    end = text.rfind("\n", 0, offset)
    while end >= 0:
        start = text.rfind("\n", 0, end) + 1
        line = text[start:end].strip()
        if not line.startswith("#"):
            break
        comments.append(line.removeprefix("#").strip())
        end = start - 1
    return " ".join(line for line in reversed(comments) if not line.startswith("allow:"))
