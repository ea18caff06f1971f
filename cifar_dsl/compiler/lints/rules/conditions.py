"""W0206: branches that are never taken and loops that never run, whatever the params are."""

from collections.abc import Iterator, Sequence

from cifar_dsl.compiler import Analysis, Library
from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.lints.registry import text_lint
from cifar_dsl.compiler.values import Bound, ValueScope
from cifar_dsl.language.diagnostics import Diagnostic, EvaluationFailed, Label, Reporter
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes


@text_lint
def dead_branches(items: Sequence[nodes.Item], found: Analysis | Library) -> Iterator[Diagnostic]:
    """Conditions and counts that mention no name, so that their value never changes."""
    del found
    waiting: list[object] = list(items)
    while waiting:
        node = waiting.pop()
        waiting.extend(nodes.children(node))
        match node:
            case nodes.If(arms=arms):
                for condition, _ in arms:
                    yield from _decided(condition)
            case nodes.Conditional(arms=arms):
                for _, condition in arms:
                    yield from _decided(condition)
            case nodes.Repeat(count=count, body=body):
                if _constant(count) == 0 and not isinstance(_constant(count), bool):
                    yield _dead("this loop never runs", count.span, body.span)
            case nodes.For(start=start, stop=None, body=body):
                if _constant(start) == ():
                    yield _dead("this list is empty", start.span, body.span)
            case _:
                pass


def _decided(condition: nodes.Expression) -> Iterator[Diagnostic]:
    value = _constant(condition)
    if isinstance(value, bool):
        message = f"this condition is always {'true' if value else 'false'}"
        yield Diagnostic("W0206", message, Label(condition.span), help=("keep only the branch that is taken",))


def _dead(message: str, place: Span, body: Span) -> Diagnostic:
    secondary = (Label(body, "never reached"),) if body.line == place.line else ()
    return Diagnostic("W0206", message, Label(place), secondary=secondary, help=("delete the loop",))


def _constant(expression: nodes.Expression) -> Bound | None:
    """The value of an expression that mentions no name; None for any other."""
    if nodes.references([expression]):
        return None
    try:
        return Evaluator(Reporter()).evaluate(expression, ValueScope())
    except EvaluationFailed:
        return None
