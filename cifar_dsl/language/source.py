"""Where a piece of spec text stands: `Source`, the text of one file, and `Span`, a stretch of it."""

from bisect import bisect_right
from functools import cached_property

from attrs import field

from cifar_dsl.foundation.records import frozen


@frozen(slots=False)
class Source:
    """The text of one spec, or of one `--set` override.

    `name` is what messages call it: the path as the user wrote it, or the override's flag. `is_library`: it
    comes with the language, so that mistakes are told where it is used.
    """

    name: str
    text: str = field(repr=False)
    is_library: bool = False

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(i + 1 for i, character in enumerate(self.text) if character == "\n")]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of the character at `offset`."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line_start(self, line: int) -> int:
        """Offset of the first character of `line` (from 1)."""
        return self._line_starts[line - 1]

    def line_text(self, line: int) -> str:
        """The text of `line` (from 1), without its end."""
        start = self._line_starts[line - 1]
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end].rstrip("\r")


@frozen
class Span:
    """The characters `start` to `end` (exclusive) of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """Line of the first character, from 1."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """Column of the first character, from 1."""
        return self.source.position(self.start)[1]

    @property
    def text(self) -> str:
        """The characters themselves."""
        return self.source.text[self.start : self.end]

    def __contains__(self, other: "Span") -> bool:
        """Whether it holds all of another."""
        return self.source is other.source and self.start <= other.start and other.end <= self.end

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


def comment_above(text: str, offset: int) -> str:
    """What the lines of comments right above the line of `offset` say, as one line; not what they allow."""
    said: list[str] = []
    end = text.rfind("\n", 0, offset)
    while end >= 0:
        start = text.rfind("\n", 0, end) + 1
        line = text[start:end].strip()
        if not line.startswith("#"):
            break
        said.append(line.removeprefix("#").strip())
        end = start - 1
    return " ".join(line for line in reversed(said) if not line.startswith("allow:"))
