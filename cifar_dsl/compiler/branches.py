"""Two branches that can't be joined: which one is most likely wrong, and where in it."""

from collections.abc import Sequence

from attrs import frozen

from cifar_dsl.ir import Shape
from cifar_dsl.language.diagnostics import Label
from cifar_dsl.language.source import Span


@frozen
class Branch:
    """A branch of a join, into which a tensor of shape `x` comes.

    `stages` lead back from its output: the shape before a stage and after it, and its place, which is None in
    another block than the join's.
    """

    span: Span
    x: Shape
    shape: Shape
    stages: Sequence[tuple[Shape, Shape, Span | None]]

    def label(self) -> Label:
        """What it gives."""
        return Label(self.span, f"this branch gives {self.shape}")

    def turn(self, other: Shape) -> Label | None:
        """The last stage, of several, that changes an extent in which it differs from `other`."""
        differing = [
            i for i, pair in enumerate(zip(self.shape.extents, other.extents, strict=False)) if len({*pair}) > 1
        ]
        for x, y, place in self.stages:
            has_turned = len(x.extents) != len(y.extents) or any(
                x.extents[i] != y.extents[i] for i in differing if i < len(x.extents)
            )
            if has_turned:
                return Label(place, f"here {x} becomes {y}") if place and len(self.stages) > 1 else None
        return None

    def is_odd(self) -> bool:
        """Whether its height or width is no part of the input's, as paddings that don't fit make it."""
        if not (self.x.is_image and self.shape.is_image):
            return False
        return any(before % after for before, after in zip(self.x.extents[1:], self.shape.extents[1:], strict=True))


def suspicion(first: Branch, second: Branch) -> tuple[Label, tuple[Label, ...]]:
    """Where to point, and what else to show: an odd branch, else the longer one, else the second."""
    suspect, other = second, first
    if first.is_odd() > second.is_odd() or (
        first.is_odd() == second.is_odd() and len(first.stages) > len(second.stages)
    ):
        suspect, other = first, second
    turn = suspect.turn(other.shape)
    if turn is None:
        return suspect.label(), (other.label(),)
    return turn, (first.label(), second.label())
