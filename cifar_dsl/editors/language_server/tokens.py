"""A text as tokens, however wrong it is: what is being typed rarely parses."""

import re
from collections.abc import Sequence

from attrs import frozen

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    | (?P<string>"[^"\n]*"?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>[0-9][0-9A-Za-z_]*(\.[0-9][0-9A-Za-z_]*)?)
    | (?P<line>\n)
    | (?P<sign>->|\.\.|[=!<>]=|//|[^\s])""",
    re.VERBOSE,
)


@frozen
class Token:
    """A piece of text: a comment, string, name, number or sign, or `line`, the end of one."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.start + len(self.text)


def tokens_of(text: str, end: int | None = None) -> list[Token]:
    """The tokens of a text, or of its part before `end`."""
    found = _TOKEN.finditer(text, 0, len(text) if end is None else end)
    return [Token(match.lastgroup or "sign", match[0], match.start()) for match in found]


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


def split(tokens: Sequence[Token], separator: str) -> list[list[Token]]:
    """The stretches between the separators that stand in no brackets of these tokens."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text in {"(", "[", "{"}) - (token.text in {")", "]", "}"})
        if token.text == separator and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
