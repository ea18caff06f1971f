"""Drops the new lines that end nothing: a filter between the lexer and the parser, for texts without errors.

`balancing` does the same for texts with errors.
"""

from collections.abc import Iterator

from cifar_dsl.foundation import limits
from cifar_dsl.language.syntax.lalr import Token

NEW_LINE = "_NL"
OPENING = {"(": ")", "[": "]", "{": "}"}
_CLOSING = frozenset(OPENING.values())
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

    It sees every token before the parser does, so it also limits nesting and lengths.
    """

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """The tokens for the parser. Raises UnbalancedError and OversizeError."""
        open_brackets: list[Token] = []
        previous: str | None = None
        pending: Token | None = None
        for token in stream:
            self._check_size(token)
            if token.type == NEW_LINE:
                if not open_brackets or open_brackets[-1] == "{":
                    pending = token
                continue
            if pending is not None:
                if not (previous is None or previous in JOINS_NEXT or token in JOINS_PREVIOUS):
                    yield pending
                pending = None
            self._track(token, open_brackets)
            previous = str(token)
            yield token
        if open_brackets:
            raise UnbalancedError(open_brackets[-1], None)

    @staticmethod
    def _check_size(token: Token) -> None:
        if token.type == NEW_LINE:
            return
        if len(token) > (most := limits.current().token_characters):
            raise OversizeError(token, f"a word or number can have at most {most} characters")
        if token.type == "NAME" and len(token) > (most := limits.current().identifier_characters):
            raise OversizeError(token, f"a name can have at most {most} characters")

    @staticmethod
    def _track(token: Token, open_brackets: list[Token]) -> None:
        if token in OPENING:
            if OPENING[token] == "}" and open_brackets and open_brackets[-1] != "{":
                raise UnbalancedError(open_brackets[-1], token)
            open_brackets.append(token)
            if len(open_brackets) > (most := limits.current().nesting):
                raise OversizeError(token, f"brackets can be nested at most {most} deep")
        elif token in _CLOSING:
            if not open_brackets or OPENING[str(open_brackets[-1])] != token:
                raise UnbalancedError(open_brackets[-1] if open_brackets else None, token)
            open_brackets.pop()
