"""Finds the most likely source of an error, which may be far from where the error is detected."""

from collections.abc import Iterator, Sequence

from cifar_dsl.compiler.values import ValueScope
from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.ir import Shape
from cifar_dsl.language.diagnostics import Label
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes

Location = tuple[Label, tuple[Label, ...]]  # the primary label and the secondary ones


@define
class ErrorLocator:
    """Finds the value to point at for an error in a call. Remembers which calls were valid before.

    A call that was valid in an earlier round of a loop, or in another call of its block, is valid in principle, so one
    of the values passed to it now is wrong. The same holds for the values in an expression whose result is wrong.
    """

    _valid_calls: set[Span] = field(factory=set)

    def note_valid(self, call: Span) -> None:
        """Remember that a call was valid."""
        self._valid_calls.add(call)

    def locate(
        self,
        call: Span,
        argument: nodes.Expression | None,
        arguments: tuple[nodes.Argument, ...],
        scope: ValueScope,
        text: str,
    ) -> Location:
        """Where to show an error in a call; `text` describes it, `argument` is the wrong argument if known."""
        place = argument.span if argument else call
        if isinstance(argument, nodes.Name):
            origin = scope.origin(argument)
            if origin != place:
                return Label(origin, text), (Label(place, "used here"),)
        # The expression is valid for other values, so a value that it names is wrong.
        candidates: list[nodes.Expression] = [argument] if isinstance(argument, nodes.Operation) else []
        if call in self._valid_calls:
            candidates = [*([argument] if argument else []), *(one.value for one in arguments)]
        for origin in origins(candidates, scope):
            if origin != place:
                return Label(origin, "with this value"), (Label(place, text),)
        return Label(place, text), ()


def own_origin(expression: nodes.Expression, scope: ValueScope) -> Span:
    """Where a value is written. For a value that the library computes: the value in the author's text behind it."""
    place = scope.origin(expression)
    return next(origins([expression], scope), place) if place.source.is_library else place


def origins(expressions: list[nodes.Expression], scope: ValueScope) -> Iterator[Span]:
    """Where the values that the expressions name are written, if elsewhere."""
    for expression in expressions:
        for name in sorted({one.text for one in nodes.inside([expression], nodes.Name)}):
            owner = scope.scope_of(name)
            if owner is not None and name in owner.origins:
                yield owner.origins[name]


@frozen
class Branch:
    """A branch of a join, from the tensor that enters the join (`input` is None after an error) to its output.

    `stages`, from the output backwards: input shape, output shape, and span (None inside another block).
    """

    span: Span
    input: Shape | None
    output: Shape
    stages: Sequence[tuple[Shape, Shape, Span | None]]

    def label(self) -> Label:
        """The label that states its output shape."""
        return Label(self.span, f"this branch outputs {self.output}")

    def diverging_stage(self, other: Shape) -> Label | None:
        """The last of several stages that changes an extent in which the output and `other` differ."""
        pairs = enumerate(zip(self.output.extents, other.extents, strict=False))
        differing = [i for i, (own, others) in pairs if own != others]
        for x, y, place in self.stages:
            if len(x.extents) != len(y.extents) or any(
                x.extents[i] != y.extents[i] for i in differing if i < len(x.extents)
            ):
                return Label(place, f"{x} becomes {y} here") if place and len(self.stages) > 1 else None
        return None

    def is_odd(self) -> bool:
        """Whether its height or width doesn't divide the input's, which hints at a wrong padding."""
        if self.input is None or not (self.input.is_image and self.output.is_image):
            return False
        return any(x % y for x, y in zip(self.input.extents[1:], self.output.extents[1:], strict=True))


def locate_mismatch(first: Branch, second: Branch) -> Location:
    """Where to report that two branches don't fit: at the odd one, else the longer one, else the second."""
    if first == second:
        return first.label(), ()
    wrong, other = second, first
    if (first.is_odd(), len(first.stages)) > (second.is_odd(), len(second.stages)):
        wrong, other = first, second
    stage = wrong.diverging_stage(other.output)
    if stage is None:
        return wrong.label(), (other.label(),)
    return stage, (first.label(), second.label())
