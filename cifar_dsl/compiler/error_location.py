"""Where to point when a call can't be: at an argument, or at what gives it the wrong value."""

from collections.abc import Iterator

from attrs import define, field

from cifar_dsl.compiler.values import ValueScope
from cifar_dsl.language.diagnostics import Label
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes


@define
class Blame:
    """Points at what is most likely wrong. It remembers the calls that were right.

    A call that was right in an earlier round of a loop, or in another call of its block, is so in principle; then
    what it is given now is wrong. So are most likely the values of an expression whose result can't be.
    """

    _right: set[Span] = field(factory=set)

    def acquit(self, call: Span) -> None:
        """Take note that a call was right."""
        self._right.add(call)

    def labels(
        self,
        call: Span,
        argument: nodes.Expression | None,
        arguments: tuple[nodes.Argument, ...],
        names: ValueScope,
        text: str,
    ) -> tuple[Label, tuple[Label, ...]]:
        """The first label and the others for a mistake of a call, of which `text` is said.

        `argument` is the one that can't be, if one is known.
        """
        place = argument.span if argument else call
        if isinstance(argument, nodes.Name):
            origin = names.origin(argument)
            if origin != place:
                return Label(origin, text), (Label(place, "taken here"),)
        # An expression is written for several values, of which this is none.
        suspects: list[nodes.Expression] = [argument] if isinstance(argument, nodes.Operation) else []
        if call in self._right:
            suspects = [*([argument] if argument else []), *(one.value for one in arguments)]
        for origin in origins(suspects, names):
            if origin != place:
                return Label(origin, "with this"), (Label(place, text),)
        return Label(place, text), ()


def own_origin(expression: nodes.Expression, names: ValueScope) -> Span:
    """Where a value was written, in the author's text where it is worked out in the library's of one from there."""
    place = names.origin(expression)
    return next(origins([expression], names), place) if place.source.is_library else place


def origins(expressions: list[nodes.Expression], names: ValueScope) -> Iterator[Span]:
    """Where the values were written that the expressions name, if elsewhere."""
    for expression in expressions:
        for name in sorted(nodes.references([expression])):
            scope = names.scope_of(name)
            if scope is not None and name in scope.origins:
                yield scope.origins[name]
