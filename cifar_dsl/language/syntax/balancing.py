"""Like `newlines`, but for any text: balances braces and skips unreadable characters.

The text is split into items, since an item's keyword (`param`, `block`, `model` ...) starts a line nowhere else. An
open brace is closed at the end of its item, and a stray one is dropped. An open `(` or `[` ends with its line.
"""

from collections.abc import Iterator, Sequence

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax.lalr import Token
from cifar_dsl.language.syntax.lexer import raw_tokens, readable_tokens
from cifar_dsl.language.syntax.newlines import JOINS_NEXT, JOINS_PREVIOUS, NEW_LINE, OPENING
from cifar_dsl.language.syntax.words import HEADERS, ITEMS, KEYWORDS

_PARTNER = {closing: opening for opening, closing in OPENING.items()}
_BODY_HEADS = frozenset(["block", "model", "train"])
_BRACES = {"}": 1, "{": -1}
_IN_VALUES = frozenset(["and", "or", "not", "true", "false", "if", "else", "in", "block"])
_NEVER_IN_VALUES = KEYWORDS - _IN_VALUES  # a line that starts with one of these ends an open ( or [


@frozen
class BalancedTokens:
    """The tokens for the parser, the brackets among them that are never closed, and the dropped parts of the text."""

    tokens: tuple[Token, ...]
    unclosed: frozenset[int]  # offsets of the `(` and `[` that the text never closes
    dropped: tuple[Span, ...]


def balanced_tokens(source: Source) -> BalancedTokens:
    """The tokens of any text, with balanced braces and without the new lines that end nothing."""
    readable, unreadable = readable_tokens(source.text)
    dropped = [Span(source, place, place + 1) for place in unreadable]
    tokens: list[Token] = []
    bounds = limits.current()
    for token in readable:
        most = bounds.identifier_characters if token.type == "NAME" else bounds.token_characters
        if token.type != NEW_LINE and len(token) > most:
            dropped.append(_span(source, token))
        else:
            tokens.append(token)
    unclosed: set[int] = set()
    kept: list[Token] = []
    items = list(_items(tokens))
    starts = [next(token for token in item if token.type != NEW_LINE).start for item in items[1:]]
    for item, end in zip(items, [*starts, len(source.text)], strict=False):
        pairs = _Pairs(item)
        dropped += [_span(source, item[i]) for i in sorted(pairs.stray)]
        unclosed |= {item[i].start for i in pairs.unclosed}
        kept += _ended_lines(item, pairs, end)
    if kept and kept[0].type == NEW_LINE:
        del kept[0]
    return BalancedTokens(tuple(kept), frozenset(unclosed), tuple(dropped))


def _items(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The tokens of the header and of each item, each with the new lines before it."""
    begin, last, before = 0, None, 0  # `before`: start of the new lines before this token
    for i, token in enumerate(tokens):
        if token.type == NEW_LINE:
            continue
        starts_line = i == 0 or tokens[i - 1].type == NEW_LINE
        is_head = token in _BODY_HEADS and any(word == "{" for word in tokens[i + 1 : i + 2])
        if (starts_line or is_head) and token in _STARTERS and (is_head or last not in {":", "|"}) and i > begin:
            yield tokens[begin:before]
            begin = before
        last, before = str(token), i + 1
    yield tokens[begin:]


_STARTERS = frozenset([*HEADERS, *ITEMS])


@define
class _Pairs:
    """The pairs of brackets of an item, by their index in its tokens.

    `opened`: where a `{` is missing; `braces_left`: how many `}` are missing at the end.
    """

    tokens: Sequence[Token]
    partner: dict[int, int] = field(factory=dict)  # opening -> closing, of ( and [
    unclosed: set[int] = field(factory=set)
    stray: set[int] = field(factory=set)
    opened: int | None = None
    braces_left: int = 0
    _open: list[int] = field(factory=list)
    _braces: int = 0
    _last: int = 0  # index of the last token that is no `}`

    def __attrs_post_init__(self) -> None:
        surplus = sum(_BRACES.get(str(token), 0) for token in self.tokens)  # of `}` from here to the end
        words = [i for i, token in enumerate(self.tokens) if token.type != NEW_LINE]
        self._last = max((i for i in words if self.tokens[i] != "}"), default=0)
        may_lack_brace = surplus > 0 and bool(words) and self.tokens[words[0]] in _BODY_HEADS
        for i, following in zip(words, [*words[1:], len(self.tokens)], strict=False):
            token = self.tokens[i]
            surplus -= _BRACES.get(str(token), 0)
            if token in OPENING:
                self._opens(i)
            elif token in _PARTNER:
                self._closes(i, surplus)
            elif str(token) == "->" or (token in _NEVER_IN_VALUES and i and self.tokens[i - 1].type == NEW_LINE):
                self._leave_values()
            may_lack_brace = may_lack_brace and str(token) != "{"
            ends_line = i + 1 < following < len(self.tokens) and not self._open
            if may_lack_brace and ends_line and not self._braces and self.tokens[following] != "{":
                self.opened, self._braces, may_lack_brace = i + 1, 1, False
        self._leave_values()
        self.braces_left = self._braces

    def _opens(self, i: int) -> None:
        if self.tokens[i] == "{":
            self._leave_values()
        if len(self._open) + self._braces >= limits.current().nesting:
            self.stray.add(i)
        elif self.tokens[i] == "{":
            self._braces += 1
        else:
            self._open.append(i)

    def _closes(self, i: int, surplus: int) -> None:
        token = self.tokens[i]
        if str(token) == "}":
            self._leave_values()
            # A brace that would end the item too early is stray.
            if self._braces == 0 or (self._braces == 1 and surplus > 0 and i < self._last):
                self.stray.add(i)
            else:
                self._braces -= 1
            return
        for depth, j in enumerate(reversed(self._open), 1):
            if self.tokens[j] == _PARTNER[str(token)]:
                self.unclosed.update(self._open[len(self._open) - depth + 1 :])
                self.partner[j] = i
                del self._open[-depth:]
                return
        self.stray.add(i)

    def _leave_values(self) -> None:
        """Values end here: open ( and [ are never closed."""
        self.unclosed.update(self._open)
        self._open.clear()


def _ended_lines(tokens: Sequence[Token], pairs: _Pairs, end: int) -> Iterator[Token]:
    """The tokens of an item without the new lines that end nothing. Open braces are closed at `end`."""
    inside_until = -1
    previous, pending = None, None
    is_left_open = False  # whether a ( or [ of this line is never closed
    for i, token in enumerate(tokens):
        if i in pairs.stray:
            continue
        if i == pairs.opened:
            previous, pending = "{", None
            yield inserted("{", token.start)
        if token.type == NEW_LINE:
            if i > inside_until:
                pending = token
            continue
        joins = (previous in JOINS_NEXT and not is_left_open) or token in JOINS_PREVIOUS
        if pending is not None and not joins:
            yield pending
        is_left_open = i in pairs.unclosed or (is_left_open and pending is None)
        pending = None
        inside_until = max(inside_until, pairs.partner.get(i, -1))
        previous = str(token)
        yield token
    for _ in range(pairs.braces_left):
        yield inserted("}", end)


def inserted(text: str, start: int, end: int | None = None, kind: str | None = None) -> Token:
    """A token that is missing from the text. For a name or number, `text` is empty and the span is where it belongs."""
    kind = kind or next(iter(raw_tokens(text))).type
    return Token(kind, text, start, start if end is None else end)


def _span(source: Source, token: Token) -> Span:
    start = token.start
    return Span(source, start, start + len(token))
