"""Drops the new lines that end nothing: a filter between the lexer and the parser, for texts without errors.

`balancing` does the same for texts with errors.
"""

from collections.abc import Iterable, Iterator

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.limits import Limits
from cifar_dsl.language.syntax.lalr import Token

NEW_LINE = "_NL"
OPENING = {"(": ")", "[": "]", "{": "}"}
_BRACKETS = frozenset([*OPENING, *OPENING.values()])
JOINS_NEXT = frozenset({"{", "->", "|", "="})  # a new line after one of these is dropped
JOINS_PREVIOUS = frozenset({"{", "}", "->", "|", "else"})  # and before one of these


class UnbalancedError(Exception):
    """A bracket without its partner. `opening` is the open bracket, None for a stray closing bracket.

    `token` is where the error is detected: a closing bracket of another kind, a `{` among values, or None at the end.
    """

    def __init__(self, opening: Token | None, token: Token | None) -> None:
        super().__init__(opening, token)
        self.opening = opening
        self.token = token


class OversizeError(Exception):
    """A token that is too long or nested too deep."""

    def __init__(self, token: Token, limit: str) -> None:
        super().__init__(token, limit)
        self.token = token
        self.limit = limit


class NewLineFilter:
    """Drops new lines inside ( ) and [ ], beside braces, arrows and bars, and before `else`.

    It sees every token before the parser does, so it also limits nesting and lengths. To continue in the middle of a
    text, give the brackets that are open there and the token before.
    """

    def __init__(self, open_brackets: Iterable[Token] = (), previous: str | None = None) -> None:
        self._begin = (tuple(open_brackets), previous)
        self.open_brackets: list[Token] = []

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """The tokens for the parser. Raises UnbalancedError and OversizeError."""
        opened, previous = self._begin
        open_brackets = self.open_brackets = [*opened]
        bounds = limits.current()
        shortest = min(bounds.token_characters, bounds.identifier_characters)
        pending: Token | None = None
        for token in stream:
            if token.type == NEW_LINE:
                if not open_brackets or open_brackets[-1] == "{":
                    pending = token
                continue
            if len(token) > shortest:
                self._check_size(token, bounds)
            if pending is not None:
                if not (previous is None or previous in JOINS_NEXT or token in JOINS_PREVIOUS):
                    yield pending
                pending = None
            if token in _BRACKETS:
                self._track(token, open_brackets)
            previous = token
            yield token
        if open_brackets:
            raise UnbalancedError(open_brackets[-1], None)

    @staticmethod
    def _check_size(token: Token, bounds: Limits) -> None:
        if len(token) > bounds.token_characters:
            raise OversizeError(token, f"a word or number can have at most {bounds.token_characters} characters")
        if token.type == "NAME" and len(token) > bounds.identifier_characters:
            raise OversizeError(token, f"a name can have at most {bounds.identifier_characters} characters")

    @staticmethod
    def _track(token: Token, open_brackets: list[Token]) -> None:
        if token in OPENING:
            if OPENING[token] == "}" and open_brackets and open_brackets[-1] != "{":
                raise UnbalancedError(open_brackets[-1], token)
            open_brackets.append(token)
            if len(open_brackets) > (most := limits.current().nesting):
                raise OversizeError(token, f"brackets can be nested at most {most} deep")
        else:
            if not open_brackets or OPENING[str(open_brackets[-1])] != token:
                raise UnbalancedError(open_brackets[-1] if open_brackets else None, token)
            open_brackets.pop()
