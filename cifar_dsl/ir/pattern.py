"""Patterns: how the axes of tensors are split, merged, moved and left out."""

from functools import cached_property
from math import prod
from typing import Literal

from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.ir.shape import Shape

Missing = Literal["refused", "left out", "multiplied"]  # what becomes of an axis that only the left side has
Sides = tuple[tuple[int, ...], ...]  # of one tensor: for each of its axes, the numbers of the axes that it is made of


@frozen(repr=False)
class Pattern:
    """The axes of the tensors that enter, and those wanted: `c, h * 2 | h -> c, h`.

    Axes are numbered in the order in which they first appear, so that their names have no meaning.

    Attributes:
        inputs: For each tensor and each of its axes, the axes whose product it is, the outermost first; none for `1`.
        output: The same for the tensor that is wanted.
        extents: The extent of each axis.
        text: The pattern as written, for views.
    """

    inputs: tuple[Sides, ...]
    output: Sides
    extents: tuple[int, ...]
    text: str = field(eq=False)

    @property
    def axes_text(self) -> str:
        """The pattern as written, without the extents of axes that follow it."""
        return self.text.partition("=")[0].rpartition(",")[0] if "=" in self.text else self.text

    def __repr__(self) -> str:
        """The canonical text, which enters the fingerprint: `a, b * c | b -> a, b; 8x16x2`."""
        inputs = " | ".join(map(_written, self.inputs))
        return f"{inputs} -> {_written(self.output)}; {'x'.join(map(str, self.extents))}"

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of the tensors that enter."""
        return tuple(map(self._shape, self.inputs))

    @property
    def shape(self) -> Shape:
        """The shape of the tensor that is wanted."""
        return self._shape(self.output)

    @cached_property
    def kept(self) -> tuple[int, ...]:
        """The axes of the output, in its order."""
        return tuple(number for side in self.output for number in side)

    @cached_property
    def missing(self) -> tuple[int, ...]:
        """The axes that only the tensors that enter have, in the order in which they appear."""
        return tuple(number for number in range(len(self.extents)) if number not in self.kept)

    def axes_of(self, place: int) -> tuple[int, ...]:
        """The axes of the tensor at this place, in its order."""
        return tuple(number for side in self.inputs[place] for number in side)

    def extents_of(self, axes: tuple[int, ...]) -> tuple[int, ...]:
        """The extents of some axes."""
        return tuple(self.extents[number] for number in axes)

    def _shape(self, sides: Sides) -> Shape:
        return Shape(tuple(prod(self.extents_of(side)) for side in sides))


def _written(sides: Sides) -> str:
    return ", ".join(" * ".join(chr(ord("a") + number) for number in side) or "1" for side in sides)
