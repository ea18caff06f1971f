"""The errors of a text that does not parse: in its characters, its brackets and its grammar."""

from collections.abc import Iterator
from itertools import islice

from attrs import define, field

from cifar_dsl.foundation import limits
from cifar_dsl.language.diagnostics import Diagnostic, Label
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.balancing import legible
from cifar_dsl.language.syntax.explanations import Brackets, Misplaced, character_error, span_of, unbalanced_error
from cifar_dsl.language.syntax.habits import Rewriter
from cifar_dsl.language.syntax.lalr import MisplacedError, Token
from cifar_dsl.language.syntax.lexer import lex
from cifar_dsl.language.syntax.newlines import OversizeError, UnbalancedError
from cifar_dsl.language.syntax.repairs import RepairingReader
from cifar_dsl.language.syntax.tables import START_SPEC


def syntax_errors(source: Source, start: str, refusal: Exception) -> list[Diagnostic]:
    """The errors of a text that the parser rejects: one to `limits.diagnostics`.

    First the habits, whose rewriting is known, then the errors of the rewritten text, wrong characters first.
    """
    rewriter = Rewriter(source, start)
    left = rewriter.run()
    rewritten = Source(source.name, rewriter.text) if rewriter.errors else source
    others = _errors(rewritten, start, left or refusal) if left or not rewriter.errors else []
    if rewriter.errors:
        others = [rewriter.restored(one) for one in others]
    return [*rewriter.errors, *others][: limits.current().diagnostics]


def _errors(source: Source, start: str, refusal: Exception) -> list[Diagnostic]:
    text = _Tokens.of(source)
    found = list(text.errors)
    if text.oversize is None:
        found += islice(_grammar_errors(source, text, start), limits.current().diagnostics - len(found))
    if not found and isinstance(refusal, MisplacedError):  # repaired without a report
        token, accepts = refusal.token, refusal.parser.accepts()
        found.append(Misplaced(source, token, accepts, Brackets.of(text.tokens)).diagnostic())
    return found


@define
class _Tokens:
    """The tokens of a text up to the first bracket error, and the errors in its characters and brackets."""

    tokens: list[Token] = field(factory=list)
    errors: list[Diagnostic] = field(factory=list)
    unbalanced: UnbalancedError | None = None
    oversize: OversizeError | None = None

    @classmethod
    def of(cls, source: Source) -> "_Tokens":
        text, unreadable = legible(source)
        found = cls()
        found.errors = [character_error(source, span.start) for span in unreadable[: limits.current().diagnostics]]
        try:
            for token in lex(text):
                found.tokens.append(token)  # keep the tokens before an error
        except UnbalancedError as error:
            found.unbalanced = error
        except OversizeError as error:
            found.oversize = error
            found.errors.append(Diagnostic("E0104", error.limit, Label(span_of(source, error.token))))
        return found


def _grammar_errors(source: Source, text: _Tokens, start: str) -> Iterator[Diagnostic]:
    """The errors in the grammar, and the first unbalanced bracket."""
    reported = {error.label.span.line for error in text.errors if error.label}
    reader = RepairingReader.of(source, start)
    reader.read()
    misplaced = reader.errors if start == START_SPEC else reader.errors[:1]
    unbalanced, limit = None, len(source.text) + 1
    if text.unbalanced:
        unbalanced = unbalanced_error(source, text.unbalanced, Brackets.of(text.tokens), reader.stray)
        if text.unbalanced.token is not None:
            limit = text.unbalanced.token.start  # later errors may result from it
    for error in misplaced:
        place = _first_place(error)
        line = source.position(place)[0]
        if place >= limit:
            break
        if unbalanced and place >= _first_place(unbalanced):
            # The bracket is the cause. A stage or setting never continues on the next line by chance.
            is_nearer = unbalanced.label is None or unbalanced.label.span.text == "{"
            yield error if is_nearer or line == source.position(_first_place(unbalanced))[0] else unbalanced
            return
        if line not in reported:
            yield error
    if unbalanced:
        yield unbalanced


def _first_place(error: Diagnostic) -> int:
    labels = [error.label, *error.secondary]
    return min(label.span.start for label in labels if label)
