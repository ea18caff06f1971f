"""Parses a text into a syntax tree, or raises its syntax errors."""

import re
from typing import Any, cast

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.limits import Limits
from cifar_dsl.language.diagnostics import Diagnostic, Label, SpecError
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.language.syntax.builder import Builder, FractionError, OutOfRangeError, TargetError
from cifar_dsl.language.syntax.lalr import MisplacedError, Parser
from cifar_dsl.language.syntax.lexer import UnreadableError, lex
from cifar_dsl.language.syntax.newlines import OversizeError, UnbalancedError
from cifar_dsl.language.syntax.recent import recent
from cifar_dsl.language.syntax.tables import START_AXIS, START_OVERRIDE, START_SPEC, tables

_COMPOSED = frozenset(
    [
        nodes.CallExpression,
        nodes.Sequence,
        nodes.Prefixed,
        nodes.Operation,
        nodes.Conditional,
        nodes.Index,
    ]
)
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_FORBIDDEN = re.compile(rf"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_BIDI}]|\r(?!\n)")


def parse_spec(source: Source) -> nodes.Spec:
    """The tree of a whole file. Raises SpecError."""
    parsed = parsed_within(source, limits.current())
    if isinstance(parsed, nodes.Spec):
        return parsed
    raise SpecError(parsed)


@recent  # many specs of a folder extend the same base; a text with errors is read again to recover
def parsed_within(source: Source, bounds: Limits) -> nodes.Spec | tuple[Diagnostic, ...]:
    """The tree of a whole file, or its errors; `bounds`, the current limits, are part of the cache key."""
    del bounds
    try:
        _check_characters(source)
        spec: nodes.Spec = _parse(source, START_SPEC)
    except SpecError as error:
        return error.diagnostics
    return spec


def parse_override(source: Source) -> nodes.Override:
    """The tree of one `--set`, such as `head=[64]` or `train.batch=128`. Raises SpecError."""
    _check_characters(source)
    override: nodes.Override = _parse(source, START_OVERRIDE)
    return override


def parse_axis(source: Source) -> nodes.Axis:
    """The tree of one `--set` of a sweep, such as `head=[64],[512]`: its values are separated by commas.

    Raises SpecError.
    """
    _check_characters(source)
    axis: nodes.Axis = _parse(source, START_AXIS)
    return axis


def _check_characters(source: Source) -> None:
    if found := _FORBIDDEN.search(source.text):
        raise _error(
            "E0103",
            f"the character U+{ord(found[0]):04X} is not allowed in a spec",
            Span(source, *found.span()),
            "delete it; it may be invisible in your editor",
        )


def _parse(source: Source, start: str) -> Any:
    try:
        tree = Parser(tables(), start).parse(lex(source.text))
    except (UnreadableError, MisplacedError, UnbalancedError, OversizeError) as error:
        from cifar_dsl.language.syntax.syntax_errors import syntax_errors  # only needed for a spec with errors

        raise SpecError(syntax_errors(source, start, error)) from None
    try:
        root = Builder(source).transform(tree)
    except OutOfRangeError as error:
        most = limits.current().integer_magnitude
        raise _error("E0104", f"numbers can be at most {most:,} in magnitude", error.span) from None
    except FractionError as error:
        raise _error("E0101", "the extents of a shape must be integers", error.span) from None
    except TargetError as error:
        raise _error("E0101", "only names can be assigned", error.span, "write names: `(a, b) = ...`") from None
    size = check_depth(root)
    return nodes.replace(root, size=size) if isinstance(root, nodes.Spec) else root


def check_depth(tree: object) -> int:
    """Limit the depth of expressions, which later passes walk recursively, and count the nodes of a tree.

    Limiting brackets isn't enough: up to nine levels of operators fit between two brackets.
    """
    most = limits.current().nesting
    waiting: list[tuple[int, tuple[Any, ...]]] = [(0, (tree,))]
    size = 0
    while waiting:
        outer, siblings = waiting.pop()
        size += len(siblings)
        for node in siblings:
            depth, cls = outer, cast("Any", type(node))
            if cls in _COMPOSED:
                depth += 1
                if depth > most:
                    raise _error("E0104", f"expressions can be nested at most {most} deep", node.span)
            list_children = nodes.children_of(cls)
            if list_children is not nodes.nothing and (inside := list_children(node)):
                waiting.append((depth, inside))
    return size


def _error(code: str, message: str, span: Span, help_text: str = "") -> SpecError:
    return SpecError([Diagnostic(code, message, Label(span), help=(help_text,) if help_text else ())])
