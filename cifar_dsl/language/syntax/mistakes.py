"""What is wrong with a text that does not parse: its characters, its brackets, and what stands where it can't."""

from collections.abc import Iterator
from itertools import islice

from attrs import define, field
from lark import Token
from lark.exceptions import UnexpectedToken

from cifar_dsl.foundation import limits
from cifar_dsl.language.diagnostics import Diagnostic, Label
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.explanations import Brackets, Misplaced, character_mistake, span_of, unbalanced_mistake
from cifar_dsl.language.syntax.layout import OversizeError, UnbalancedError
from cifar_dsl.language.syntax.repairs import RepairingReader
from cifar_dsl.language.syntax.tables import START_SPEC, lex
from cifar_dsl.language.syntax.tolerant_layout import legible


def mistakes(source: Source, start: str, refusal: Exception) -> list[Diagnostic]:
    """The mistakes in a text that the parser has refused, those of its letters first; at least one, at most 20."""
    text = _Text.of(source)
    found = list(text.mistakes)
    if text.oversize is None:
        found += islice(_others(source, text, start), limits.current().diagnostics - len(found))
    if not found and isinstance(refusal, UnexpectedToken):  # it was repaired without a word
        token, accepts = refusal.token, refusal.accepts or set()
        found.append(Misplaced(source, token, accepts, Brackets.of(text.tokens)).diagnostic())
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
        text, unreadable = legible(source)
        found = cls()
        found.mistakes = [character_mistake(source, span.start) for span in unreadable[: limits.current().diagnostics]]
        try:
            for token in lex(text):
                found.tokens.append(token)  # what comes before an error is kept
        except UnbalancedError as error:
            found.unbalanced = error
        except OversizeError as error:
            found.oversize = error
            found.mistakes.append(Diagnostic("E0104", error.limit, Label(span_of(source, error.token))))
        return found


def _others(source: Source, text: _Text, start: str) -> Iterator[Diagnostic]:
    """What stands where it can't, and the first bracket without a partner."""
    reported = {mistake.label.span.line for mistake in text.mistakes if mistake.label}
    reader = RepairingReader.of(source, start)
    reader.read()
    misplaced = reader.mistakes if start == START_SPEC else reader.mistakes[:1]
    unbalanced, limit = None, len(source.text) + 1
    if text.unbalanced:
        unbalanced = unbalanced_mistake(source, text.unbalanced, Brackets.of(text.tokens), reader.stray)
        if text.unbalanced.token is not None:
            limit = text.unbalanced.token.start_pos or 0  # what stands behind may come of it
    for mistake in misplaced:
        place = _first_place(mistake)
        line = source.position(place)[0]
        if place >= limit:
            break
        if unbalanced and place >= _first_place(unbalanced):
            # It comes of the brackets. No stage or setting goes on in the next line by chance.
            is_nearer = unbalanced.label is None or unbalanced.label.span.text == "{"
            yield mistake if is_nearer or line == source.position(_first_place(unbalanced))[0] else unbalanced
            return
        if line not in reported:
            yield mistake
    if unbalanced:
        yield unbalanced


def _first_place(mistake: Diagnostic) -> int:
    labels = [mistake.label, *mistake.secondary]
    return min(label.span.start for label in labels if label)
