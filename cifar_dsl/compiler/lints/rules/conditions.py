"""W0206: branches that are never taken and loops that never run, whatever the params are."""

from collections.abc import Iterator, Sequence
from itertools import islice

from cifar_dsl.compiler import Analysis, Library
from cifar_dsl.compiler.evaluate import Evaluator
from cifar_dsl.compiler.lints.registry import text_lint
from cifar_dsl.compiler.values import Bound, ValueScope
from cifar_dsl.foundation.limits import OutOfStepsError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Diagnostic, EvaluationFailed, Label, Reporter
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes

_STEPS = 100_000  # of all constants of a file: blocks that are never called aren't evaluated by anything else


@text_lint
def dead_branches(items: Sequence[nodes.Item], found: Analysis | Library) -> Iterator[Diagnostic]:
    """Conditions and counts that mention no name, so that their value never changes."""
    del found
    deciding: Iterator[_Deciding] = nodes.inside(items, _DECIDING)
    constants = _Constants.of([expression for node in deciding for expression in _decisive(node)])
    if not constants.constant:
        return
    waiting: list[object] = list(items)
    while waiting:
        node = waiting.pop()
        decisive = _decisive(node) if isinstance(node, _DECIDING) else []
        match node:
            case nodes.If() | nodes.Conditional():
                yield from _decided(decisive, constants)
            case nodes.Repeat(count=count, body=body):
                value = constants.value(count)
                if value == 0 and not isinstance(value, bool):
                    yield _dead("this loop never runs", count.span, body.span)
            case nodes.For(start=start, stop=None, body=body):
                if constants.value(start) == ():
                    yield _dead("this list is empty", start.span, body.span)
            case _:
                pass
        # A constant is evaluated once: the conditions inside it don't matter, since all of it can go.
        done = {id(one) for one in decisive if one in constants}
        waiting.extend(one for one in _parts(node) if id(one) not in done)


_Deciding = nodes.If | nodes.Conditional | nodes.Repeat | nodes.For
_DECIDING = (nodes.If, nodes.Conditional, nodes.Repeat, nodes.For)


def _decisive(node: _Deciding) -> list[nodes.Expression]:
    """The expressions that decide whether the parts of a node are used at all."""
    match node:
        case nodes.If(arms=arms):
            return [condition for condition, _ in arms]
        case nodes.Conditional(arms=choices):
            return [condition for _, condition in choices]
        case nodes.Repeat(count=count):
            return [count]
        case nodes.For(start=start, stop=stop):
            return [start] if stop is None else []


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
    """Expressions that mention no name, by their identities. They share the steps in which they are evaluated."""

    constant: frozenset[int]
    _evaluator: Evaluator

    @classmethod
    def of(cls, expressions: Sequence[nodes.Expression]) -> "_Constants":
        """The constants among these expressions; one that is inside another comes after it."""
        order: list[tuple[object, int]] = []  # every node, with the place of its parent
        read: set[int] = set()
        for expression in expressions:
            if id(expression) in read:
                continue
            begin = len(order)
            order.append((expression, -1))
            for place, (node, _) in enumerate(islice(order, begin, None), begin):  # grows as it is read
                order.extend((child, place) for child in nodes.children(node))
            read.update(id(node) for node, _ in islice(order, begin, None))
        varying: set[int] = set()
        for place, (node, _) in enumerate(order):
            at = place if isinstance(node, nodes.Name | nodes.CallExpression) else -1
            while at >= 0 and id(order[at][0]) not in varying:
                varying.add(id(order[at][0]))
                at = order[at][1]
        reporter = Reporter()
        reporter.work.most = min(reporter.work.most, _STEPS)
        return cls(frozenset(id(one) for one in expressions if id(one) not in varying), Evaluator(reporter))

    def __contains__(self, expression: nodes.Expression) -> bool:
        return id(expression) in self.constant

    def value(self, expression: nodes.Expression) -> Bound | None:
        """The value of a constant; None for any other expression, or if it takes too many steps."""
        if expression not in self:
            return None
        try:
            return self._evaluator.evaluate(expression, ValueScope())
        except (EvaluationFailed, OutOfStepsError):
            return None
