"""What is wrong with a text that does not parse: every mistake that can be told from those before it.

After a mistake, the stage, setting or head that it stands in is taken for the nearest thing that could stand
there, and reading goes on behind it. What is read so serves to find further mistakes, and nothing else.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from itertools import islice

from attrs import define, field, frozen
from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from cifar_dsl.foundation import limits
from cifar_dsl.language.diagnostics import Diagnostic, Label, nearest, replacement
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.explanations import (
    END,
    Brackets,
    Misplaced,
    character_mistake,
    end_token,
    span_of,
    unbalanced_mistake,
)
from cifar_dsl.language.syntax.layout import NEW_LINE, OversizeError, UnbalancedError
from cifar_dsl.language.syntax.tables import lex, parser
from cifar_dsl.language.syntax.words import KEYWORDS

_BOUNDARIES = frozenset([NEW_LINE, END, "{", "}", "|"])  # of stages, settings, and heads of bodies
# What may stand in place of a damaged stretch of text.
_STAND_INS = (
    "identity",
    "x identity",
    "repeat 1",
    "x = identity",
    "block x()",
    "train",
    "group x",
    "param x = 1",
    "input 3x3x3",
    "arch x",
    "",
)
_TRIED_AHEAD = 40  # tokens by which stand-ins are compared


def mistakes(source: Source, start: str) -> list[Diagnostic]:
    """The mistakes in a text that the parser has refused, those of its letters first; at most 20."""
    text = _Text.of(source)
    found = list(text.mistakes)
    if text.oversize is None:
        found += islice(
            _Reader(source, text, start).mistakes(), limits.current().diagnostics - len(found)
        )  # each takes a while
    return found


@define
class _Text:
    """The tokens of a text, as far as they go, and what is wrong with its letters and brackets."""

    tokens: list[Token] = field(factory=list)
    mistakes: list[Diagnostic] = field(factory=list)
    unbalanced: UnbalancedError | None = None
    oversize: OversizeError | None = None

    @classmethod
    def of(cls, source: Source) -> "_Text":
        found = cls()
        text = source.text
        while len(found.mistakes) < limits.current().diagnostics:
            found.tokens = []
            try:
                for token in lex(text):
                    found.tokens.append(token)  # what comes before an error is kept
            except UnexpectedCharacters as error:
                offset = error.pos_in_stream or 0
                found.mistakes.append(character_mistake(source, offset))
                end = text.find("\n", offset) if text[offset] == '"' else offset + 1
                end = len(text) if end < 0 else end
                text = text[:offset] + " " * (end - offset) + text[end:]
                continue
            except UnbalancedError as error:
                found.unbalanced = error
            except OversizeError as error:
                found.oversize = error
                found.mistakes.append(Diagnostic("E0104", error.limit, Label(span_of(source, error.token))))
            break
        return found


@define
class _Reader:
    """Reads tokens with lark's parser, step by step."""

    source: Source
    text: _Text
    start: str

    def mistakes(self) -> Iterator[Diagnostic]:
        tokens = [*self.text.tokens, end_token(self.source)]
        told = {mistake.label.span.line for mistake in self.text.mistakes if mistake.label}
        unbalanced = None
        if self.text.unbalanced:
            tokens.pop()
            unbalanced = unbalanced_mistake(self.source, self.text.unbalanced, Brackets.of(tokens))
        for mistake, start in self._misplaced(tokens):
            line = self.source.position(start)[0]
            if unbalanced and start >= _first_place(unbalanced):
                # It comes of the brackets. No stage or setting goes on in the next line by chance.
                is_nearer = unbalanced.label is None or unbalanced.label.span.text == "{"
                yield mistake if is_nearer or line == self.source.position(_first_place(unbalanced))[0] else unbalanced
                return
            if line not in told:
                yield mistake
        if unbalanced:
            yield unbalanced

    def _misplaced(self, tokens: Sequence[Token]) -> Iterator[tuple[Diagnostic, int]]:
        """What stands where it can't, and the offset of each."""
        reading = _Reading.begin(self.start)
        before, place, boundary = reading.copy(), 0, 0
        while place < len(tokens):
            token = tokens[place]
            if reading.takes(token):
                place += 1
                if _kind(token) in _BOUNDARIES:
                    before, boundary = reading.copy(), place
                continue
            end = _end_of_stretch(tokens, place, boundary)
            misspelt = _misspelt(before, tokens[boundary : end + 1])
            if misspelt:
                mistake = misspelt.diagnostic(self.source)
                recovered: _Reading | None = misspelt.reading
            else:
                brackets = Brackets.of(tokens[:place])
                mistake = Misplaced(self.source, token, reading.accepts(), brackets).diagnostic()
                recovered = _recovered(before, tokens, end)
            yield mistake, _first_place(mistake)
            if recovered is None:
                return
            reading, place, boundary = recovered, end, end
            before = reading.copy()


def _first_place(mistake: Diagnostic) -> int:
    labels = [mistake.label, *mistake.secondary]
    return min(label.span.start for label in labels if label)


def _kind(token: Token) -> str:
    return token.type if token.type in {NEW_LINE, END} else str(token)


def _end_of_stretch(tokens: Sequence[Token], place: int, boundary: int) -> int:
    """Where the stretch ends that begins at `boundary` and has its mistake at `place`."""
    depth = 0  # of ( and [, inside which a `|` parts types
    for i in range(boundary, len(tokens)):
        kind = _kind(tokens[i])
        depth += (kind in {"(", "["}) - (kind in {")", "]"})
        if i >= place and kind in _BOUNDARIES and not (kind == "|" and depth > 0):
            return i if i > boundary or kind != "|" else i + 1
    return len(tokens)


@frozen
class _Reading:
    """lark's parser somewhere in a text. It builds no trees, so that copies of it are cheap."""

    _parser: InteractiveParser

    @classmethod
    def begin(cls, start: str) -> "_Reading":
        reading = parser().parse_interactive("", start=start)
        reading.parser_state.parse_conf = copy(reading.parser_state.parse_conf)
        reading.parser_state.parse_conf.callbacks = {}
        return cls(reading)

    def copy(self) -> "_Reading":
        # Not lark's own copy: that takes the lexer along, which nothing here reads from, and all values, which
        # without callbacks are lists of what was read so far, as deep in each other as a text has lines.
        state = self._parser.parser_state.copy(deepcopy_values=False)
        return _Reading(InteractiveParser(self._parser.parser, state, self._parser.lexer_thread))

    def takes(self, *tokens: Token) -> int:
        """Read tokens as long as they can stand here, and give back how many could."""
        for count, token in enumerate(tokens):
            try:
                self._parser.feed_token(token)
            except UnexpectedToken:
                return count
        return len(tokens)

    def accepts(self) -> set[str]:
        """The kinds of tokens that can stand here."""
        return self._parser.accepts()  # type: ignore[no-untyped-call,no-any-return]


@frozen
class _Misspelt:
    """A word that would be right as the keyword `meant`; `reading` is behind it and what belongs to it."""

    token: Token
    meant: str
    reading: _Reading

    def diagnostic(self, source: Source) -> Diagnostic:
        span = span_of(source, self.token)
        help_text = f"did you mean `{self.meant}`?"
        message = f"`{self.token}` is not expected here"
        return Diagnostic("E0101", message, Label(span), help=(help_text,), fixes=replacement(span, self.meant))


def _misspelt(before: _Reading, stretch: Sequence[Token]) -> _Misspelt | None:
    """The misspelt keyword that a stretch and the token after it begin with, if all of it is right but for that."""
    first, *rest = stretch
    meant = nearest(str(first), KEYWORDS) if first.type == "NAME" else None
    if meant is None or not rest:
        return None
    reading = before.copy()
    inside = (*lex(meant), *rest[:-1])
    if reading.takes(*inside) < len(inside) or not reading.copy().takes(rest[-1]):
        return None
    return _Misspelt(first, meant, reading)


def _recovered(before: _Reading, tokens: Sequence[Token], end: int) -> _Reading | None:
    """Behind the stand-in with which the text from `end` on reads furthest; None if it reads with none."""
    best, furthest = None, 0
    for stand_in in _STAND_INS:
        reading = before.copy()
        words = tuple(lex(stand_in))
        if reading.takes(*words) < len(words):
            continue
        ahead = reading.copy().takes(*tokens[end : end + _TRIED_AHEAD])
        if ahead > furthest:
            best, furthest = reading, ahead
    return best
