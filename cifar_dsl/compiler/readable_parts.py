"""Checks the parts of a spec that is never expanded: one with syntax errors, or without an input or a model.

The rule: no error is reported that exists only because of the damage. So an error is dropped if it is on a damaged
line, or about a word of such a line, which may define or use it; nothing is reported as missing; no name is unknown if
a damaged line may define any, and none that another body defines if braces are damaged; no setting is checked if the
braces around the settings are; and nothing is checked if the header or a base is damaged, since a base may define any
name.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from cifar_dsl.compiler.bind import Binder
from cifar_dsl.compiler.block_arguments import BlockBinder
from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.files import SpecReader
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.names import Definition, Names, resolve_program
from cifar_dsl.compiler.params import global_values
from cifar_dsl.compiler.patterns import PatternReader
from cifar_dsl.compiler.program import Program, merge_parts, steps_to_merge, with_bases
from cifar_dsl.compiler.recipe import check_settings
from cifar_dsl.compiler.values import Tensor, Unknown, ValueScope
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.limits import OutOfStepsError
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.language.diagnostics import STEPS_AFTER_ERROR, Diagnostic, EvaluationFailed, Reporter, SpecError
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import Recovered, nodes, parse_recovering
from cifar_dsl.language.syntax.words import KEYWORDS, SETTING_WORDS
from cifar_dsl.operations.layers import LAYERS

_WORD = re.compile(r"[A-Za-z_]\w*")
_NAMES = r"[A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*"
_NAMELESS = re.compile(  # a definition whose name is missing or unreadable
    rf"\b(?:let|param|block)\b(?!\s+[A-Za-z_])|\bfor\b(?!\s*(?:{_NAMES}|\(\s*{_NAMES}\s*,?\s*\))\s*in\b)"
    r"|\bblock\b.*[(,]\s*[^A-Za-z_\s)]"
)
_LONGEST_LINE = 1000  # characters of a line that is searched for nameless definitions
_UNKNOWN_NAME = frozenset(["E0201", "E0202"])
_ABSENCE = frozenset(["E0206", "E0405"])  # nothing uses a definition; an override sets what is not there
_BODY = re.compile(r"[{}]|\b(?:train|group)\b")
_FLOW = Tensor(0, None)


def with_other_errors(error: SpecError, path: Path, reader: SpecReader) -> SpecError:
    """The error of a spec that can't be expanded, with the errors of its readable parts."""
    try:
        recovered = parse_recovering(reader.read(path))
        specs = with_bases(recovered.spec, path, reader) if recovered.spec else []
    except SpecError:  # of the file or a base
        return error
    return _with_errors_of(specs, recovered, error)


def with_other_errors_of_text(error: SpecError, source: Source) -> SpecError:
    """The same for a text that extends nothing."""
    recovered = parse_recovering(source)
    specs = [recovered.spec] if recovered.spec and not recovered.spec.header.base else []
    return _with_errors_of(specs, recovered, error)


def _with_errors_of(specs: Sequence[nodes.Spec], recovered: Recovered, error: SpecError) -> SpecError:
    damage = _Damage.of(recovered)
    if not specs or damage.touches(specs[0].header.span):
        return error
    known = {(one.code, one.label) for one in error.diagnostics}
    found = (one for one in _errors_of(specs, damage) if (one.code, one.label) not in known)
    return SpecError([*error.diagnostics, *found][: limits.current().diagnostics])


@frozen
class _Damage:
    """The lines that a text's syntax errors affect, their words, and whether any name may be defined there."""

    lines: frozenset[int]
    words: frozenset[str]
    starts: tuple[str, ...]  # words that may be two, with nothing between them, in order
    ends: tuple[str, ...]  # the same words, reversed, in order
    is_nameless: bool

    @classmethod
    def of(cls, recovered: Recovered) -> "_Damage":
        """The damage of a text: its errors, what the parser skipped, and where something is missing."""
        labels = [label for error in recovered.errors for label in (error.label, *error.secondary) if label]
        missing = nodes.inside([recovered.spec], nodes.Missing)
        lines = {line for span in (*recovered.skipped, *(one.span for one in missing)) for line in _lines_of(span)}
        for label in labels:
            lines.update(_lines_of(label.span))
            if label.span.text in {"(", "["}:
                lines.update(_deeper_lines(label.span))
            if label.span.text == "{":  # never closed: the text may end within a line
                lines.add(label.span.source.position(len(label.span.source.text.rstrip()))[0])
        source = labels[0].span.source if labels else None
        texts = [source.line_text(line) for line in lines] if source else []
        words = {word for text in texts for word in _WORD.findall(text)}
        items = recovered.spec.items if recovered.spec else ()
        defined = nodes.bound_names(items)
        joined = words.difference(KEYWORDS, LAYERS, SETTING_WORDS)
        if any("{" in text or "}" in text for text in texts):
            words |= defined
        for train in (item for item in items if isinstance(item, nodes.Train)):
            if source and any(
                _BODY.search(source.line_text(line)) for line in lines.intersection(_lines_of(train.span))
            ):
                lines.update(_lines_of(train.span))
        return cls(
            lines=frozenset(lines),
            words=frozenset(words),
            starts=tuple(sorted(joined)),
            ends=tuple(sorted(word[::-1] for word in joined)),
            is_nameless=any(len(text) > _LONGEST_LINE or _NAMELESS.search(text) for text in texts),
        )

    def touches(self, span: Span) -> bool:
        """Whether a part of the text is damaged. An empty one isn't in the text."""
        return span.start < span.end and not self.lines.isdisjoint(_lines_of(span))

    def explains(self, error: Diagnostic) -> bool:
        """Whether an error may exist only because of the damage."""
        labels = [label for label in (error.label, *error.secondary) if label]
        spans = [label.span for label in labels]
        if error.code in _ABSENCE or (self.is_nameless and error.code in _UNKNOWN_NAME):
            return True
        return any(self.touches(span) or self._may_hold(span.text) or not span.text.strip() for span in spans)

    def _may_hold(self, text: str) -> bool:
        """Whether a damaged line has this word, or had it before it was joined with another one."""
        return text in self.words or _begins_any(text, self.starts) or _begins_any(text[::-1], self.ends)


def _begins_any(text: str, words: tuple[str, ...]) -> bool:
    """Whether one of the words, which are in order, begins with `text`."""
    place = bisect_left(words, text)
    return place < len(words) and words[place].startswith(text)


def _lines_of(span: Span) -> range:
    return range(span.line, span.source.position(span.end)[0] + 1)


def _deeper_lines(bracket: Span) -> Iterator[int]:
    """The lines below a bracket that are indented more than its line, and so may be inside it."""
    source, line = bracket.source, bracket.line
    indent = _indent(source.line_text(line))
    following = range(line + 1, source.text.count("\n") + 2)
    return takewhile(lambda number: _indent(source.line_text(number)) > indent, following)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _errors_of(specs: Sequence[nodes.Spec], damage: _Damage) -> Iterator[Diagnostic]:
    """The errors in the first spec that the damage doesn't explain; the others are its bases."""
    source = specs[0].span.source
    reporter = Reporter(source)
    reporter.work.most = min(reporter.work.most, steps_to_merge(specs) + STEPS_AFTER_ERROR)
    with suppress(OutOfStepsError):
        _check_parts(specs, reporter, damage)

    def is_wanted(error: Diagnostic) -> bool:
        return error.label is not None and error.label.span.source is source and not damage.explains(error)

    return reporter.shown(is_wanted)


def _check_parts(specs: Sequence[nodes.Spec], reporter: Reporter, damage: _Damage) -> None:
    program = _without_damaged_values(merge_parts(specs, reporter), damage)
    names = resolve_program(program, reporter)
    evaluator = Evaluator(reporter, names)
    values = global_values(program, evaluator)
    bodies = [block for block in program.blocks.values() if not damage.touches(_head(block))]
    patterns = PatternReader(evaluator, reporter, names)
    _check_calls((*bodies, program.model), names, values, Binder(evaluator, reporter), patterns, damage)
    recipe = program.train.span.text if program.train else ""
    if recipe.count("{") == recipe.count("}"):  # else a setting may be in the wrong braces
        check_settings(program, names, values, reporter)


def _without_damaged_values(program: Program, damage: _Damage) -> Program:
    """The program with `Missing` for the values of params on damaged lines."""
    params = {
        name: nodes.replace(param, value=nodes.Missing(param.value.span)) if damage.touches(param.span) else param
        for name, param in program.params.items()
    }
    return evolve(program, params=params)


def _head(block: nodes.Block) -> Span:
    return Span(block.span.source, block.span.start, block.body.span.start)


def _check_calls(
    items: Iterable[nodes.Block | nodes.Model],
    names: Names,
    values: ValueScope,
    binder: Binder,
    patterns: PatternReader,
    damage: _Damage,
) -> None:
    """Check the arguments of layers and blocks, as far as they depend on no tensor and no local value."""
    block_binder = BlockBinder(binder)
    for item in items:
        scope = ValueScope(values, {name: Unknown() for name in nodes.bound_names([item])})
        for element in nodes.inside([item.body], nodes.Element):
            if not isinstance(element.kind, nodes.Name | nodes.CallExpression):
                continue
            call = Invocation.of(element.kind)
            try:
                match names.definitions.get(call.callee_span):
                    case Definition(kind="layer"):
                        patterns.check(LAYERS[call.callee], call)
                        if not call.pattern:
                            binder.declared(LAYERS[call.callee], call, scope, _FLOW)
                    case Definition(kind="block", node=nodes.Block() as block) if not damage.touches(_head(block)):
                        block_binder.scope_of(block, call, scope, _FLOW, values)
                    case _:
                        pass
            except EvaluationFailed:
                continue
