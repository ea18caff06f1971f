"""Splits a text into tokens."""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import takewhile

from cifar_dsl.foundation import cancellation
from cifar_dsl.language.syntax.lalr import Token
from cifar_dsl.language.syntax.newlines import NewLineFilter
from cifar_dsl.language.syntax.tables import terminals


class UnreadableError(Exception):
    """A character that begins no token, at `offset`."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def lex(text: str) -> Iterator[Token]:
    """The tokens for the parser. Raises the errors of NewLineFilter and `whole_tokens` lazily."""
    return NewLineFilter().process(whole_tokens(text))


def whole_tokens(text: str) -> Iterator[Token]:
    """What `raw_tokens` yields, for a text that will be read again if it has an error: it is split once."""
    tokens, unreadable = readable_tokens(text)
    first = unreadable[0] if unreadable else len(text)
    yield from takewhile(lambda token: token.start < first, tokens) if unreadable else tokens
    if unreadable:
        raise UnreadableError(first)


def raw_tokens(text: str, start: int = 0) -> Iterator[Token]:
    """The tokens of a text from an offset on, with all new lines. Raises UnreadableError and CancelledError lazily."""
    for token in _tokens(text, start):
        if token.type == _UNREADABLE:
            raise UnreadableError(token.start)
        yield token


@lru_cache(maxsize=2)  # the errors of a text and its repair need the same; the other text may be rewritten from it
def readable_tokens(text: str) -> tuple[tuple[Token, ...], tuple[int, ...]]:
    """The tokens of a text, and the offsets of the characters that begin none. Raises CancelledError."""
    tokens: list[Token] = []
    unreadable: list[int] = []
    for token in _tokens(text, 0):
        if token.type == _UNREADABLE:
            unreadable.append(token.start)
        else:
            tokens.append(token)
    return tuple(tokens), tuple(unreadable)


def _tokens(text: str, start: int) -> Iterator[Token]:
    """The tokens of a text, among them characters that begin none."""
    known, cancelling, words = terminals(), cancellation.current(), _words()
    types: dict[str, str] = dict(known.texts)  # of the words of this text
    ignored = known.ignored
    while start < len(text):
        cancelling.raise_if_requested()
        line_end = _LINE_END.search(text, start + _AT_ONCE)
        for word in words.findall(text, start, line_end.start() if line_end else len(text)):
            kind = types.get(word) or types.setdefault(word, _type(word))
            end = start + len(word)
            if kind not in ignored:
                token: Token = str.__new__(Token, word)  # its own `__new__` would take as long as all the rest
                token.type, token.start, token.end = kind, start, end
                yield token
            start = end


_AT_ONCE = 2_000  # characters, and the rest of the line: no token exceeds its line
_LINE_END = re.compile(r"(?<!\n)\n")  # before all new lines that make one token
_UNREADABLE = "unreadable"


def _type(word: str) -> str:
    """The type of a word that is no fixed text: its name in the grammar."""
    found = _pattern().match(word)
    return (found and found.lastgroup) or _UNREADABLE


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile(terminals().pattern)


@cache
def _words() -> re.Pattern[str]:
    """Matches any token, or a character that begins none, without groups: `findall` lists the words themselves."""
    return re.compile(re.sub(r"(?<!\\)\((\?P<\w+>)?", "(?:", terminals().pattern) + "|(?s:.)")
