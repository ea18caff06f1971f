"""Where an error is shown: at what is most likely wrong, which may be written elsewhere than where it is noticed."""

from collections.abc import Iterator, Sequence

from attrs import define, field

from cifar_dsl.compiler.values import ValueScope
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Shape
from cifar_dsl.language.diagnostics import Label
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes

Location = tuple[Label, tuple[Label, ...]]  # the primary label and the secondary ones


@define
class ErrorLocator:
    """Finds the value to point at for an error of a call. It remembers the calls that were valid before.

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
        """Where to show an error of a call; `text` describes it, `argument` is the wrong one if it is known."""
        place = argument.span if argument else call
        if isinstance(argument, nodes.Name):
            origin = scope.origin(argument)
            if origin != place:
                return Label(origin, text), (Label(place, "taken here"),)
        # An expression is written for several values, and this is the first that it fails for.
        candidates: list[nodes.Expression] = [argument] if isinstance(argument, nodes.Operation) else []
        if call in self._valid_calls:
            candidates = [*([argument] if argument else []), *(one.value for one in arguments)]
        for origin in origins(candidates, scope):
            if origin != place:
                return Label(origin, "with this"), (Label(place, text),)
        return Label(place, text), ()


def own_origin(expression: nodes.Expression, scope: ValueScope) -> Span:
    """Where a value was written; in the author's text where the library computes it from a value written there."""
    place = scope.origin(expression)
    return next(origins([expression], scope), place) if place.source.is_library else place


def origins(expressions: list[nodes.Expression], scope: ValueScope) -> Iterator[Span]:
    """Where the values were written that the expressions name, if elsewhere."""
    for expression in expressions:
        for name in sorted(nodes.references([expression])):
            owner = scope.scope_of(name)
            if owner is not None and name in owner.origins:
                yield owner.origins[name]


@frozen
class Branch:
    """A branch of a join, from the tensor that arrives at the join to the branch's own output.

    `stages` lead back from the output: input shape, output shape and place of each; no place in another block.
    """

    span: Span
    input: Shape
    output: Shape
    stages: Sequence[tuple[Shape, Shape, Span | None]]

    def label(self) -> Label:
        """The label that states its output shape."""
        return Label(self.span, f"this branch gives {self.output}")

    def diverging_stage(self, other: Shape) -> Label | None:
        """The last of several stages that changes an extent in which the output differs from `other`."""
        pairs = enumerate(zip(self.output.extents, other.extents, strict=False))
        differing = [i for i, (own, others) in pairs if own != others]
        for x, y, place in self.stages:
            if len(x.extents) != len(y.extents) or any(
                x.extents[i] != y.extents[i] for i in differing if i < len(x.extents)
            ):
                return Label(place, f"here {x} becomes {y}") if place and len(self.stages) > 1 else None
        return None

    def is_odd(self) -> bool:
        """Whether its height or width doesn't divide the input's: the sign of a wrong padding."""
        if not (self.input.is_image and self.output.is_image):
            return False
        return any(x % y for x, y in zip(self.input.extents[1:], self.output.extents[1:], strict=True))


def locate_mismatch(first: Branch, second: Branch) -> Location:
    """Where to show that two branches can't be joined: at the odd one, else at the longer one, else at the second."""
    wrong, other = second, first
    if (first.is_odd(), len(first.stages)) > (second.is_odd(), len(second.stages)):
        wrong, other = first, second
    stage = wrong.diverging_stage(other.output)
    if stage is None:
        return wrong.label(), (other.label(),)
    return stage, (first.label(), second.label())
