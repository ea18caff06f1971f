"""The open brackets and the unfinished line at a place in any text, for completion.

The tree of `parse_recovering` has the names; only the unfinished line needs tokens.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.language.syntax.words import HEADERS, ITEMS, KEYWORDS

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    | (?P<string>"[^"\n]*"?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>[0-9][0-9A-Za-z_]*(\.[0-9][0-9A-Za-z_]*)?)
    | (?P<line>\n)
    | (?P<sign>->|\.\.|[=!<>]=|//|[^\s])""",
    re.VERBOSE,
)
_STARTERS = frozenset([*HEADERS, *ITEMS])  # only at the top level does a line start with one of these
_BRACED = frozenset(["file", "body", "train", "group"])  # frames in which a new line can end a stage or setting
_CONTINUED = frozenset(["->", "|", "=", "{"])  # except after one of these


@frozen
class Token:
    """A token of any text. Its kind is `comment`, `string`, `name`, `number`, `sign`, or `line` for a line end."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset after the token."""
        return self.start + len(self.text)


def tokens_of(text: str, end: int | None = None) -> list[Token]:
    """The tokens of any text, or of its part before `end`, including comments."""
    found = _TOKEN.finditer(text, 0, len(text) if end is None else end)
    return [Token(match.lastgroup or "sign", match[0], match.start()) for match in found]


@define
class Frame:
    """An open bracket: file, body, `train` or group; block parameters or call; or other brackets.

    `head` is the name before the bracket of parameters or a call. `line` holds the tokens since the last comma or, in
    braces, since the last end of a line or branch, including those in inner ( ) and [ ]. `keywords` and `position`
    describe the earlier arguments of a call; in `train` or a group, `keywords` are the earlier settings.
    """

    kind: str
    head: Token | None = None
    line: list[Token] = field(factory=list)
    keywords: list[str] = field(factory=list)
    position: int = 0

    @property
    def words(self) -> list[str]:
        """The texts of the line."""
        return [token.text for token in self.line]


def open_frames(text: str, end: int) -> list[Frame]:
    """The open brackets at an offset, outermost (the file) first."""
    frames = _Frames()
    for token in tokens_of(text, end):
        if token.kind != "comment":
            frames.update(token)
            frames.previous = token
    return frames.open


@define
class _Frames:
    open: list[Frame] = field(factory=lambda: [Frame("file")])
    previous: Token | None = None

    def update(self, token: Token) -> None:
        """Update the frames with the next token."""
        if token.text in _STARTERS and (self.previous is None or self.previous.kind == "line"):
            del self.open[1:]
            self.open[0].line.clear()
        frame = self.open[-1]
        match token.text:
            case "\n":
                if frame.kind in _BRACED and not (self.previous and self.previous.text in _CONTINUED):
                    _end_line(frame)
            case "{":
                self.open.append(_braced(frame))
            case "}":
                while len(self.open) > 1 and self.open.pop().kind not in _BRACED:
                    pass
            case "(" | "[":
                self._note(token)
                self.open.append(self._bracket(frame, token))
            case ")" | "]":
                if frame.kind not in _BRACED:
                    self.open.pop()
                self._note(token)
            case "," if frame.kind not in _BRACED:
                self._note(token)
                frame.position += 1
                frame.line.clear()
            case "|" if frame.kind == "body":
                _end_line(frame)
            case _:
                if token.text == "=" and frame.kind == "call" and len(frame.line) == 1:
                    frame.keywords.append(frame.line[0].text)
                self._note(token)

    def _note(self, token: Token) -> None:
        """Append a token to the lines that it belongs to."""
        for frame in reversed(self.open):
            frame.line.append(token)
            if frame.kind in _BRACED:
                return

    def _bracket(self, frame: Frame, token: Token) -> Frame:
        previous = self.previous
        if token.text == "[" or previous is None or previous.kind != "name" or previous.text in KEYWORDS:
            return Frame("brackets")
        is_head = frame.kind == "file" and frame.line[0].text == "block"
        return Frame("parameters" if is_head else "call", previous)


def _braced(frame: Frame) -> Frame:
    """The frame that a `{` after the frame's line opens."""
    first = frame.line[0].text if frame.line else ""
    if (frame.kind, first) in {("file", "block"), ("file", "train"), ("train", "group")}:
        frame.line.clear()
        return Frame("body" if first == "block" else first)
    return Frame("body")


def _end_line(frame: Frame) -> None:
    if frame.kind in {"train", "group"} and frame.line and frame.words[1:2] != ["."]:
        frame.keywords.append(frame.line[0].text)
    frame.line.clear()


def keywords_after(text: str) -> Iterator[str]:
    """The names of the arguments of a call that follow the cursor; `text` starts at the cursor."""
    depth = 0
    tokens = tokens_of(text)
    for token, following in pairwise(tokens):
        depth += (token.text in {"(", "[", "{"}) - (token.text in {")", "]", "}"})
        if depth < 0:
            return
        if depth == 0 and token.kind == "name" and following.text == "=":
            yield token.text
