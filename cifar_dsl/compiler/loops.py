"""The rounds of `for` loops: one scope each, with the values of the loop's variables."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from cifar_dsl.compiler import translation
from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.names import Definition
from cifar_dsl.compiler.values import Flow, ValueScope, describe
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Reporter
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes


def head(loop: Span, last: nodes.Expression) -> Span:
    """The span of a loop up to the end of its range or count."""
    return Span(loop.source, loop.start, last.span.end)


@frozen
class Loops:
    """Goes through loops, and reports what they can't go through."""

    evaluator: Evaluator
    reporter: Reporter
    definitions: Mapping[Span, Definition]

    def rounds(self, loop: nodes.For, scope: ValueScope, flow: Flow) -> Iterator[ValueScope]:
        """One scope per round of a loop. Raises EvaluationFailed."""
        written: tuple[nodes.Expression, ...] = ()  # the items, if the text lists them one by one
        if loop.stop:
            start = self.evaluator.integer(loop.start, scope, flow)
            items: Sequence[object] = range(start, self.evaluator.integer(loop.stop, scope, flow))
        else:
            value = self.evaluator.evaluate(loop.start, scope, flow)
            if not isinstance(value, tuple):
                help_text = "write a list, or a range such as `0..4`"
                raise self.reporter.error(
                    "E0210",
                    f"a loop iterates over a list, but this is {describe(value)}",
                    loop.start.span,
                    help=help_text,
                    meant=translation.rounds(loop.start, value),
                )
            items = value
            literal = self._literal(loop.start)
            written = literal.items if literal and len(literal.items) == len(items) else ()
        targets = [target.text for target in loop.targets]
        for item, source in zip_longest(items, written):
            inner = ValueScope(scope)
            if len(targets) == 1:
                inner.values[targets[0]] = item  # type: ignore[assignment]
                inner.origins[targets[0]] = scope.origin(source or loop.start)
                yield inner
                continue
            if not isinstance(item, tuple) or len(item) != len(loop.targets):
                raise self.reporter.error(
                    "E0210",
                    f"each item must hold {len(loop.targets)} values for the loop, but this one is {describe(item)}",  # type: ignore[arg-type]
                    loop.start.span,
                )
            inner.values.update(zip(targets, item, strict=True))
            parts = source.items if isinstance(source, nodes.Sequence) else ()
            inner.origins.update((target, scope.origin(part)) for target, part in zip(targets, parts, strict=False))
            yield inner

    def _literal(self, expression: nodes.Expression) -> nodes.Sequence | None:
        """The list literal of an expression: the expression itself, or the value of the param that it names."""
        if isinstance(expression, nodes.Name):
            definition = self.definitions[expression.span].node
            expression = definition.value if isinstance(definition, nodes.Param) else expression
        return expression if isinstance(expression, nodes.Sequence) else None
