"""Joins: one tensor of several branches."""

from cifar_dsl.ir import Call, Shape
from cifar_dsl.layers.base import JOINS, Join, JoinError
from cifar_dsl.registry import declared


class _Elementwise(Join):
    def infer(self, *branches: Shape) -> Shape:
        for i, branch in enumerate(branches):
            if branch != branches[0]:
                raise JoinError(
                    f"{self.name} needs branches of one shape",
                    0,
                    i,
                    help=_elementwise_help(branches[0], branch),
                )
        return branches[0]


def _elementwise_help(first: Shape, second: Shape) -> tuple[str, ...]:
    if len(first.extents) != len(second.extents):
        return ("flatten both branches or neither",)
    if first.extents[1:] == second.extents[1:] and len(first.extents) == 3:
        channels = first.extents[0]
        return (f"make the channels equal, e.g. end the other branch with `conv({channels}, 1)`",)
    return ("use the same strides and paddings in all branches, e.g. `pad=same`",)


def _scale_help(image: Shape, scale: Shape) -> tuple[str, ...]:
    if len(image.extents) != 3 or scale.elements != scale.extents[0]:
        return _elementwise_help(image, scale)
    channels = image.extents[0]
    last = f"dense({channels})" if len(scale.extents) == 1 else f"conv({channels}, 1)"
    return (f"a branch that scales gives one number for each of {channels} channels: end it with `{last}`",)


@JOINS.register("add")
@declared
class Add(_Elementwise):
    """The sum of the branches, number by number; all have one shape."""

    def emit(self) -> Call:
        return Call("cifar_dsl.backends.modules.Add")


@JOINS.register("mul")
@declared
class Mul(_Elementwise):
    """The product of the branches, number by number.

    A branch of (C,) or (C, 1, 1) scales the channels of one of (C, H, W), as squeeze-and-excitation does.
    """

    def infer(self, *branches: Shape) -> Shape:
        largest = max(branches, key=lambda shape: (shape.elements, len(shape.extents)))
        for i, branch in enumerate(branches):
            is_scale = len(largest.extents) == 3 and branch.extents in {
                largest.extents[:1],
                (largest.extents[0], 1, 1),
            }
            if branch != largest and not is_scale:
                first = branches.index(largest)
                raise JoinError(
                    f"{self.name} needs branches of one shape, or one number for each channel",
                    first,
                    i,
                    help=_scale_help(largest, branch),
                )
        return largest

    def emit(self) -> Call:
        return Call("cifar_dsl.backends.modules.Mul")


@JOINS.register("concat")
@declared
class Concat(Join):
    """The branches' channels (or features) one after another; heights and widths are equal."""

    def infer(self, *branches: Shape) -> Shape:
        for i, branch in enumerate(branches):
            if branch.extents[1:] != branches[0].extents[1:]:
                raise JoinError(
                    f"{self.name} needs branches of one height and width",
                    0,
                    i,
                    help=("use the same strides and paddings in all branches, e.g. `pad=same`",),
                )
        return Shape((sum(branch.extents[0] for branch in branches), *branches[0].extents[1:]))

    def emit(self) -> Call:
        return Call("cifar_dsl.backends.modules.Concat")
