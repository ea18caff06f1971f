"""What a text defines and where a place in it stands, as far as brackets and words tell: it need not parse."""

from collections.abc import Iterable, Sequence

from attrs import define, field, frozen

from cifar_dsl.editors.language_server.tokens import Token, comment_above, split, tokens_of
from cifar_dsl.language.syntax import KEYWORDS

_ITEMS = frozenset(["arch", "library", "input", "param", "block", "model", "train", "assert"])
_BRACED = frozenset(["file", "body", "train", "group"])  # frames in which a new line ends something
_CONTINUED = frozenset(["->", "|", "=", "{"])  # unless it stands behind one of these


@frozen
class Named:
    """A name that a text defines: a param, block, let, target of a loop or parameter of a block.

    `text` is how it is defined, `start` the offset of its name, `doc` the comment above it. Of a block there are its
    `parameters`, of a parameter the types and words that it takes, and its default.
    """

    name: str
    kind: str
    text: str
    start: int
    doc: str = ""
    parameters: tuple["Named", ...] = ()
    types: tuple[str, ...] = ()
    default: str = ""


@define
class Frame:
    """A bracket that is open: a file, body, train or group; parameters of a block; a call; or other brackets.

    `line` holds the tokens since the last comma or, in braces, since the last end of a line or branch, those in
    inner ( ) and [ ] included. `keywords` and `position` tell which arguments of a call are given already, `keywords`
    also which settings `train` or a group has said.
    """

    kind: str
    owner: str = ""
    names: list[Named] = field(factory=list)
    line: list[Token] = field(factory=list)
    keywords: list[str] = field(factory=list)
    position: int = 0


@define
class Sketch:
    """A text up to some place.

    `frames`: the brackets that are open there, the file first. `settings`: the names that the settings of `train`
    mention, by their own.
    """

    text: str
    frames: list[Frame] = field(factory=lambda: [Frame("file")])
    names: dict[str, Named] = field(factory=dict)
    settings: dict[str, list[str]] = field(factory=dict)
    _previous: Token | None = None

    @classmethod
    def of(cls, text: str, end: int | None = None) -> "Sketch":
        """The sketch of a text, or of its part before `end`."""
        sketch = cls(text)
        for token in tokens_of(text, end):
            if token.kind != "comment":
                sketch._take(token)
                sketch._previous = token
        if end is None:
            sketch._end_line(sketch.frames[-1])
        return sketch

    @property
    def innermost(self) -> Frame:
        """The bracket that was opened last."""
        return self.frames[-1]

    @property
    def enclosing(self) -> Frame:
        """The innermost one that is more than brackets around values."""
        return next(frame for frame in reversed(self.frames) if frame.kind != "brackets")

    def local_names(self) -> dict[str, Named]:
        """The names that bodies and blocks around the end of the sketch define before it."""
        return {named.name: named for frame in self.frames for named in frame.names}

    def _take(self, token: Token) -> None:
        if token.text in _ITEMS and (self._previous is None or self._previous.kind == "line"):
            del self.frames[1:]  # none of these words begins a line anywhere else
            self.innermost.line.clear()
        frame = self.innermost
        match token.text:
            case "\n":
                if frame.kind in _BRACED and not (self._previous and self._previous.text in _CONTINUED):
                    self._end_line(frame)
            case "{":
                self.frames.append(self._opened(frame))
            case "}":
                self._close(_BRACED)
            case "(" | "[":
                self._note(token)
                self.frames.append(self._bracket(frame, token))
            case ")" | "]":
                if frame.kind not in _BRACED:
                    self.frames.pop()
                self._note(token)
            case "," if frame.kind not in _BRACED:
                if frame.kind == "parameters" and frame.line:
                    frame.names.append(_parameter(frame.line))  # the defaults behind it may use it
                self._note(token)
                frame.position += 1
                frame.line.clear()
            case "|" if frame.kind == "body":
                self._end_line(frame)
            case _:
                if token.text == "=" and frame.kind == "call" and len(frame.line) == 1:
                    frame.keywords.append(frame.line[0].text)
                self._note(token)

    def _note(self, token: Token) -> None:
        """Enter a token in the lines that it belongs to."""
        for frame in reversed(self.frames):
            frame.line.append(token)
            if frame.kind in _BRACED:
                return

    def _close(self, kinds: frozenset[str]) -> None:
        """Close the last bracket of these kinds, and what was left open in it."""
        while len(self.frames) > 1:
            if self.frames.pop().kind in kinds:
                return

    def _bracket(self, frame: Frame, token: Token) -> Frame:
        previous = self._previous
        if token.text == "[" or previous is None or previous.kind != "name" or previous.text in KEYWORDS:
            return Frame("brackets")
        is_head = frame.kind == "file" and frame.line[0].text == "block"
        return Frame("parameters" if is_head else "call", previous.text)

    def _opened(self, frame: Frame) -> Frame:
        """The frame that a `{` behind the frame's line opens."""
        words = [token.text for token in frame.line]
        first = words[0] if words else ""
        if frame.kind == "file" and first == "block" and len(words) > 1 and frame.line[1].kind == "name":
            block = self._block(frame.line)
            self.names.setdefault(block.name, block)
            frame.line.clear()
            return Frame("body", block.name, list(block.parameters))
        if (frame.kind, first) in {("file", "train"), ("train", "group")}:
            frame.line.clear()
            return Frame(first)
        if "for" in words:
            start = len(words) - words[::-1].index("for")
            targets = [token for token in _until(frame.line[start:], "in") if token.kind == "name"]
            names = [Named(token.text, "target", self._text(frame.line[start - 1 :]), token.start) for token in targets]
            return Frame("body", names=names)
        return Frame("body")

    def _block(self, line: Sequence[Token]) -> Named:
        name, parameters = line[1], [_parameter(part) for part in split(line[3:-1], ",") if part]
        doc = comment_above(self.text, line[0].start)
        return Named(name.text, "block", self._text(line), name.start, doc, tuple(parameters))

    def _end_line(self, frame: Frame) -> None:
        words = [token.text for token in frame.line]
        match frame.kind, words:
            case "file", ["param", name, "=", *_]:
                doc = comment_above(self.text, frame.line[0].start)
                self.names.setdefault(name, Named(name, "param", self._text(frame.line), frame.line[1].start, doc))
            case "body", ["let", name, "=", *_]:
                frame.names.append(Named(name, "let", self._text(frame.line), frame.line[1].start))
            case "train" | "group", [setting, *values] if values[:1] != ["."]:
                frame.keywords.append(setting)
                if frame.kind == "train":
                    self.settings[setting] = [token.text for token in frame.line[1:] if token.kind == "name"]
        frame.line.clear()

    def _text(self, line: Sequence[Token]) -> str:
        return self.text[line[0].start : line[-1].end]


def _parameter(tokens: Sequence[Token]) -> Named:
    """A parameter of a block: `c: int = 3`."""
    head, *default = split(tokens, "=")
    words = [token.text for token in head]
    types = tuple(word for word in words[2:] if word != "|")
    text = " ".join(words).replace(" :", ":")
    value = "".join(token.text for part in default for token in part)
    return Named(words[0] if words else "", "parameter", text, tokens[0].start, types=types, default=value)


def _until(tokens: Iterable[Token], word: str) -> list[Token]:
    found: list[Token] = []
    for token in tokens:
        if token.text == word:
            break
        found.append(token)
    return found
