"""Splits a text into tokens."""

import re
from collections.abc import Iterator
from functools import cache

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
    """The tokens for the parser. Raises the errors of NewLineFilter and `raw_tokens` lazily."""
    return NewLineFilter().process(raw_tokens(text))


def raw_tokens(text: str, start: int = 0) -> Iterator[Token]:
    """The tokens of a text from an offset on, with all new lines. Raises UnreadableError and CancelledError lazily."""
    known, cancelling = terminals(), cancellation.current()
    texts, ignored = known.texts, known.ignored
    end = start
    for match in _pattern().finditer(text, start):
        cancelling.raise_if_requested()
        start = match.start()
        if start != end:
            raise UnreadableError(end)
        end = match.end()
        word = match[0]
        kind = texts.get(word) or match.lastgroup or ""
        if kind not in ignored:
            yield Token(kind, word, start, end)
    if end != len(text):
        raise UnreadableError(end)


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile(terminals().pattern)
