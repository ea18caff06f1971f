"""The errors of a text that does not parse: in its characters, its brackets and its grammar."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.records import define, field
from cifar_dsl.language.diagnostics import Diagnostic, Label
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.explanations import (
    Brackets,
    Misplaced,
    character_error,
    never_closed,
    other_language,
    span_of,
    unbalanced_error,
)
from cifar_dsl.language.syntax.lalr import MisplacedError, Token
from cifar_dsl.language.syntax.lexer import readable_tokens
from cifar_dsl.language.syntax.newlines import NewLineFilter, OversizeError, UnbalancedError
from cifar_dsl.language.syntax.repairs import Repaired, repaired
from cifar_dsl.language.syntax.rewriting import Rewriter
from cifar_dsl.language.syntax.tables import START_SPEC
from cifar_dsl.language.syntax.words import ITEMS

_ITEM = re.compile(rf"^[ \t]*(?P<item>{'|'.join(ITEMS)})\b", re.MULTILINE)


def syntax_errors(source: Source, start: str, refusal: Exception) -> list[Diagnostic]:
    """The errors of a text that the parser rejects: one to `limits.diagnostics`.

    First the habits, whose rewriting is known, then the errors of the rewritten text, wrong characters first. A file in
    another language has a single error.
    """
    if start == START_SPEC and (other := other_language(source)):
        return [other]
    rewriter = Rewriter(source, start)
    left = rewriter.run(refusal)
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
        tokens, unreadable = readable_tokens(source.text)
        found = cls()
        found.errors = [character_error(source, place) for place in unreadable[: limits.current().diagnostics]]
        try:
            for token in NewLineFilter().process(iter(tokens)):
                found.tokens.append(token)  # keep the tokens before an error
        except UnbalancedError as error:
            found.unbalanced = error
        except OversizeError as error:
            found.oversize = error
            found.errors.append(Diagnostic("E0104", error.limit, Label(span_of(source, error.token))))
        return found


def _grammar_errors(source: Source, text: _Tokens, start: str) -> Iterator[Diagnostic]:
    """The errors in the grammar and in brackets, except those that result from an unbalanced bracket."""
    reported = {error.label.span.line for error in text.errors if error.label}
    reader = repaired(source, start)
    findings = reader.findings if start == START_SPEC else reader.findings[:1]
    if text.unbalanced is None:
        yield from (one.error for one in findings if _line(one.error) not in reported)
        return
    unbalanced = unbalanced_error(source, text.unbalanced, Brackets.of(text.tokens), reader.stray)
    limit = text.unbalanced.token.start if text.unbalanced.token is not None else len(source.text) + 1
    item = _next_item(source, _first_place(unbalanced))
    is_brace = unbalanced.label is None or unbalanced.label.span.text in {"{", "}"}
    near = min(limit, item) if is_brace else limit
    found = list(_up_to(unbalanced, [one.error for one in findings], near, reported))
    if start == START_SPEC:
        begin = item if is_brace else _first_place(unbalanced) + 1
        innermost_first = sorted(reader.unclosed, reverse=True)
        unclosed = (never_closed(source, Token("", source.text[place], place)) for place in innermost_first)
        found += _on_other_lines(found, [*unclosed, *_behind(begin, reader)])
    yield from sorted(found, key=_first_place)


def _up_to(
    unbalanced: Diagnostic, misplaced: Iterable[Diagnostic], end: int, reported: set[int]
) -> Iterator[Diagnostic]:
    """The misplaced tokens before an unbalanced bracket, and the bracket or the token before `end` that it leads to."""
    for error in misplaced:
        if _first_place(error) >= end:
            break
        if _first_place(error) >= _first_place(unbalanced):
            # The bracket is the cause. A stage or setting never continues on the next line by chance.
            is_nearer = unbalanced.label is None or unbalanced.label.span.text == "{"
            yield error if is_nearer or _line(error) == _line(unbalanced) else unbalanced
            return
        if _line(error) not in reported:
            yield error
    yield unbalanced


def _next_item(source: Source, place: int) -> int:
    item = _ITEM.search(source.text, place)
    return item.start("item") if item else len(source.text) + 1


def _behind(begin: int, reader: Repaired) -> Iterator[Diagnostic]:
    """The misplaced tokens of the statements from `begin` on, without those behind an open bracket of the statement."""
    for finding in reader.findings:
        place = _first_place(finding.error)
        if finding.statement >= begin and not any(finding.statement <= one < place for one in reader.unclosed):
            yield finding.error


def _on_other_lines(found: Sequence[Diagnostic], more: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    lines = {_line(error) for error in found}
    for error in more:
        if _line(error) not in lines:
            lines.add(_line(error))
            yield error


def _line(error: Diagnostic) -> int:
    spans = [label.span for label in (error.label, *error.secondary) if label]
    return min(span.line for span in spans)


def _first_place(error: Diagnostic) -> int:
    labels = [error.label, *error.secondary]
    return min(label.span.start for label in labels if label)
