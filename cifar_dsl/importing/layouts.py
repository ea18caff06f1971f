"""How a tensor of torch lies over a tensor of the language: views and permutations, followed without computing.

A `Layout` tells of which axes each dimension of a torch tensor is the product. Reshapes split and merge axes,
permutations move them; a layer is only needed where an operation wants the axes in another order.
"""

from collections.abc import Iterable, Sequence
from math import prod

from cifar_dsl.foundation.records import frozen

BATCH = 0  # the first axis


class LayoutError(Exception):
    """A view that layouts can't follow."""


@frozen
class Atom:
    """A part of an axis: an axis is a product of atoms, each with the stride that it has within the axis."""

    axis: int  # 0: the batch
    extent: int
    stride: int = 1


Dim = tuple[Atom, ...]


@frozen
class Layout:
    """For each dimension of a tensor the atoms whose product it is, the outermost first; none for an extent of 1."""

    dims: tuple[Dim, ...]

    @classmethod
    def of(cls, batch: int, extents: Iterable[int]) -> "Layout":
        """The layout of a tensor of the language as it is: the batch, then its axes."""
        return cls(tuple(_whole(axis, extent) for axis, extent in enumerate((batch, *extents))))

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents of the dimensions."""
        return tuple(map(extent_of, self.dims))

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """All atoms, in order."""
        return tuple(atom for dim in self.dims for atom in dim)

    def permuted(self, order: Sequence[int]) -> "Layout":
        """With the dimensions in another order."""
        return Layout(tuple(self.dims[place] for place in order))

    def reshaped(self, shape: Sequence[int]) -> "Layout":
        """With the elements in the same order, and other dimensions. Raises LayoutError."""
        waiting = list(reversed(self.atoms))
        dims: list[Dim] = []
        for extent in shape:
            dim: list[Atom] = []
            left = extent
            while left > 1:
                if not waiting:
                    raise LayoutError
                atom = waiting.pop()
                if left % atom.extent and not atom.extent % left:
                    inner = atom.extent // left
                    waiting.append(Atom(atom.axis, inner, atom.stride))
                    atom = Atom(atom.axis, left, atom.stride * inner)
                if left % atom.extent:
                    raise LayoutError
                dim.append(atom)
                left //= atom.extent
            dims.append(merged(dim))
        if waiting:
            raise LayoutError
        return Layout(tuple(dims))

    def without(self, place: int) -> "Layout":
        """Without one dimension."""
        return Layout((*self.dims[:place], *self.dims[place + 1 :]))

    def whole_axis(self, place: int) -> int | None:
        """The axis that this dimension is, as a whole and alone; None if it is anything else."""
        if len(self.dims[place]) != 1:
            return None
        (atom,) = self.dims[place]
        return atom.axis if [one for one in self.atoms if one.axis == atom.axis] == [atom] else None

    def with_axis(self, axis: int, extent: int) -> "Layout":
        """The same after an operation that gives an axis, which is a dimension by itself, another extent."""
        return Layout(tuple(_whole(axis, extent) if dim and dim[0].axis == axis else dim for dim in self.dims))


def extent_of(dim: Dim) -> int:
    """The extent of a dimension."""
    return prod(atom.extent for atom in dim)


def merged(atoms: Iterable[Atom]) -> Dim:
    """The same atoms, those that were one axis before a split as one."""
    found: list[Atom] = []
    for atom in atoms:
        if found and found[-1].axis == atom.axis and found[-1].stride == atom.stride * atom.extent:
            found[-1] = Atom(atom.axis, found[-1].extent * atom.extent, atom.stride)
        else:
            found.append(atom)
    return tuple(found)


def _whole(axis: int, extent: int) -> Dim:
    return (Atom(axis, extent),) if extent > 1 else ()
