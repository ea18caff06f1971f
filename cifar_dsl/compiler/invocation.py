"""Calls as written, with their branches, and what evaluates their arguments."""

from collections.abc import Hashable, Sequence
from typing import Protocol

from cifar_dsl.compiler.argument_translation import Call
from cifar_dsl.compiler.dataflow import Dataflow
from cifar_dsl.compiler.values import BlockValue, Bound, Flow, Tie, ValueScope
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes


@frozen
class Invocation:
    """A call as written: `callee(arguments)`, or a bare name."""

    callee: str
    callee_span: Span
    arguments: tuple[nodes.Argument, ...]
    span: Span
    written: tuple[nodes.Argument, ...] | None = None  # the arguments in the text, if others are meant
    pattern: nodes.Pattern | None = None
    starts_chain: bool = False

    @classmethod
    def of(cls, kind: nodes.Name | nodes.CallExpression, *, starts_chain: bool = False) -> "Invocation":
        """The invocation that a name or a call expression makes."""
        if isinstance(kind, nodes.Name):
            return cls(kind.text, kind.span, (), kind.span)
        callee = kind.callee
        return cls(callee.text, callee.span, kind.arguments, kind.span, None, kind.pattern, starts_chain)

    @property
    def text(self) -> Call:
        """The text of the call, for advice."""
        arguments = self.arguments if self.written is None else self.written
        return Call(self.callee, self.callee_span.end, arguments, self.span)

    def span_of(self, argument: str | None, order: Sequence[str]) -> Span:
        """The span of `argument`, or of the whole call if the argument is omitted."""
        given = self.given(argument, order)
        return given.value.span if given else self.span

    def given(self, argument: str | None, order: Sequence[str]) -> nodes.Argument | None:
        """The argument passed for the parameter `argument`, or None. `order`: names of positional arguments."""
        for position, given in enumerate(self.arguments):
            name = given.keyword.text if given.keyword else order[position] if position < len(order) else None
            if name == argument:
                return given
        return None

    def crossed(self, order: Sequence[str]) -> Span | None:
        """The span of two positional arguments that are most likely swapped, or None.

        They look swapped if the value of one is a bare name that is the parameter of the other.
        """
        unnamed = [argument for argument in self.arguments if argument.keyword is None][: len(order)]
        places = {name: i for i, name in enumerate(order[: len(unnamed)])}
        for i, argument in enumerate(unnamed):
            if isinstance(argument.value, nodes.Name):
                other = places.get(argument.value.text, i)
                if other != i:
                    first, last = unnamed[min(i, other)], unnamed[max(i, other)]
                    return Span(first.span.source, first.span.start, last.span.end)
        return None


@frozen
class Branch:
    """A branch as written, in the scope where it stands."""

    body: nodes.Body
    scope: ValueScope

    def as_block(self, name: nodes.Identifier) -> BlockValue:
        """The branch as the value of a block's parameter, under whose name its stages stand."""
        return BlockValue(nodes.Block(name, (), self.body, self.body.span), self.scope)

    def tied(self, name: nodes.Identifier) -> BlockValue:
        """The body of `tied` as the value of a name, whose uses have the same weights."""
        return evolve(self.as_block(name), tie=Tie())


class Evaluates(Protocol):
    """Evaluates the values of arguments."""

    def evaluate(self, node: nodes.Expression, scope: ValueScope, flow: Flow | None = None) -> Bound:
        """The value of `node`. Raises EvaluationFailed."""
        ...

    def constant(self, node: nodes.Expression) -> Hashable:
        """What tells the value of a literal or word from others, wherever it stands; None for other expressions."""
        ...

    def dataflow(self, scope: ValueScope) -> Dataflow:
        """What the expressions in a scope stand for."""
        ...
