"""W0206: branches that are never taken and loops that never run, whatever the params are."""

from collections.abc import Iterator, Sequence

from cifar_dsl.compiler import Analysis, Library
from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.lints.registry import text_lint
from cifar_dsl.compiler.values import Bound, ValueScope
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Diagnostic, EvaluationFailed, Label, Reporter
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes


@text_lint
def dead_branches(items: Sequence[nodes.Item], found: Analysis | Library) -> Iterator[Diagnostic]:
    """Conditions and counts that mention no name, so that their value never changes."""
    del found
    constants = _Constants.of(items)
    waiting: list[object] = list(items)
    while waiting:
        node = waiting.pop()
        decisive: list[nodes.Expression] = []
        match node:
            case nodes.If(arms=arms):
                decisive = [condition for condition, _ in arms]
                yield from _decided(decisive, constants)
            case nodes.Conditional(arms=arms):
                decisive = [condition for _, condition in arms]
                yield from _decided(decisive, constants)
            case nodes.Repeat(count=count, body=body):
                decisive = [count]
                value = constants.value(count)
                if value == 0 and not isinstance(value, bool):
                    yield _dead("this loop never runs", count.span, body.span)
            case nodes.For(start=start, stop=None, body=body):
                decisive = [start]
                if constants.value(start) == ():
                    yield _dead("this list is empty", start.span, body.span)
            case _:
                pass
        # A constant is evaluated once: the conditions inside it don't matter, since all of it can go.
        done = {id(one) for one in decisive if one in constants}
        waiting.extend(one for one in _parts(node) if id(one) not in done)


def _parts(node: object) -> Iterator[object]:
    """The children of a node, and those of the arms of a condition."""
    for child in nodes.children(node):
        if isinstance(node, nodes.If | nodes.Conditional) and isinstance(child, tuple):
            for arm in child:
                yield from arm
        else:
            yield child


def _decided(conditions: Sequence[nodes.Expression], constants: "_Constants") -> Iterator[Diagnostic]:
    for condition in conditions:
        value = constants.value(condition)
        if isinstance(value, bool):
            message = f"this condition is always {'true' if value else 'false'}"
            yield Diagnostic("W0206", message, Label(condition.span), help=("keep only the branch that is taken",))


def _dead(message: str, place: Span, body: Span) -> Diagnostic:
    secondary = (Label(body, "never reached"),) if body.line == place.line else ()
    return Diagnostic("W0206", message, Label(place), secondary=secondary, help=("delete the loop",))


@frozen
class _Constants:
    """The expressions that mention no name. `varying` holds the identities of all other nodes."""

    varying: frozenset[int]

    @classmethod
    def of(cls, items: Sequence[nodes.Item]) -> "_Constants":
        """The constants in these items."""
        order: list[tuple[object, int]] = [(item, -1) for item in items]  # every node, with the place of its parent
        for place, (node, _) in enumerate(order):  # grows as it is read
            order.extend((child, place) for child in nodes.children(node))
        varying: set[int] = set()
        for place, (node, _) in enumerate(order):
            at = place if isinstance(node, nodes.Name | nodes.CallExpression) else -1
            while at >= 0 and id(order[at][0]) not in varying:
                varying.add(id(order[at][0]))
                at = order[at][1]
        return cls(frozenset(varying))

    def __contains__(self, expression: nodes.Expression) -> bool:
        return id(expression) not in self.varying

    def value(self, expression: nodes.Expression) -> Bound | None:
        """The value of a constant; None for any other expression."""
        if expression not in self:
            return None
        try:
            return Evaluator(Reporter()).evaluate(expression, ValueScope())
        except EvaluationFailed:
            return None
