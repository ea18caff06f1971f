"""Joins: combine several branches into one tensor."""

from itertools import accumulate
from math import prod
from typing import Self

from cifar_dsl.foundation.records import evolve
from cifar_dsl.ir import Execution, Lowering, SavedTensors, Shape, argument, declared
from cifar_dsl.ir.execution import FLOAT_BYTES, NOTHING
from cifar_dsl.operations.argument_types import Choice, Float
from cifar_dsl.operations.layers.axes import AXIS_WORDS, axis_noun, axis_of
from cifar_dsl.operations.layers.base import JOINS, Branches, Join, JoinError

_SAME_WINDOWS = ("use the same stride and padding in all branches, e.g. `pad=same`",)
_SAME_TOKENS = ("use the same number of tokens in all branches, e.g. patches of one size",)
_SAME_RANK = ("make all branches output the same kind of tensor: images, tokens or vectors of features",)


def _elementwise_help(first: Shape, second: Shape) -> tuple[str, ...]:
    if len(first.extents) != len(second.extents):
        return _SAME_RANK
    if first.is_image:
        if first.extents[1:] != second.extents[1:]:
            return _SAME_WINDOWS
        return _same_size("channels", first, second, f"conv({first.channels}, 1)")
    if first.extents[:-1] != second.extents[:-1]:
        return _SAME_TOKENS
    return _same_features(first, second)


def _same_features(first: Shape, second: Shape) -> tuple[str, ...]:
    return _same_size("features", first, second, f"dense({first.channels})")


def _same_size(what: str, first: Shape, second: Shape, projection: str) -> tuple[str, ...]:
    end = f"end the branch of shape {second} with a projection, `{projection}`"
    return (f"make the {what} equal: change a layer, or {end}",)


def _scale_help(scaled: Shape, scale: Shape) -> tuple[str, ...]:
    if scaled.is_image and scale.extents in {(scale.channels,), (scale.channels, 1, 1)}:
        layer = f"conv({scaled.channels}, 1)" if scale.is_image else f"dense({scaled.channels})"
        what = "channels"
    elif scaled.is_tokens and len(scale.extents) == 1:
        layer, what = f"dense({scaled.channels})", "features"
    else:
        return _elementwise_help(scaled, scale)
    return (f"to scale each of the {scaled.channels} {what}, let the smaller branch end with `{layer}`",)


def _has_one_branch(join: Join, *branches: Shape) -> bool:
    return len(branches) == 1


class _Elementwise(Join):
    """A join that pairs the elements of its branches; extents of 1 stretch."""

    def infer(self, *branches: Shape) -> Shape:
        largest = max(branches, key=lambda branch: len(branch.extents))
        self._check_kinds(branches, largest)
        extents = [1] * len(largest.extents)
        owners = [0] * len(extents)  # of each axis, the branch that has its extent
        for i, branch in enumerate(branches):
            for axis, extent in enumerate(_aligned(branch, largest)):
                if extents[axis] == 1 < extent:
                    extents[axis], owners[axis] = extent, i
                elif extent not in {1, extents[axis]}:
                    raise self._error(branches, owners[axis], i, largest, axis)
        return Shape(tuple(extents))

    def _check_kinds(self, branches: tuple[Shape, ...], largest: Shape) -> None:
        """Raise JoinError if there are images and tokens."""
        number = branches.index(largest)
        for i, branch in enumerate(branches):
            if branch.is_tokens != largest.is_tokens and len(branch.extents) > 1:
                raise JoinError(f"{self.name} needs branches of the same kind", *sorted((number, i)), help=_SAME_RANK)

    def _error(self, branches: tuple[Shape, ...], first: int, second: int, joined: Shape, axis: int) -> JoinError:
        one, other = branches[first], branches[second]
        counts = [_aligned(branch, joined)[axis] for branch in (one, other)]
        message = (
            f"{self.name} needs branches of the same shape, or extents of 1: "
            f"{counts[0]} {axis_noun(joined, axis)} and {counts[1]} don't fit"
        )
        return JoinError(message, first, second, help=self._help(one, other))

    def _help(self, first: Shape, second: Shape) -> tuple[str, ...]:
        return _elementwise_help(first, second)

    def _lowered(self, target: str, branches: tuple[Shape, ...]) -> Lowering:
        """The module `target`, or the one that first adds axes to vectors."""
        are_alike = len({len(branch.extents) for branch in branches}) == 1
        return Lowering.to(target if are_alike else f"aligned_{target}")

    def stretched(self, *branches: Shape) -> tuple[int, ...]:
        joined = self.infer(*branches)
        return tuple(i for i, branch in enumerate(branches) if branch != joined)


@JOINS.register("add")
@declared
class Add(_Elementwise):
    """The elementwise sum of the branches; as in residual blocks, He et al. 2015, https://arxiv.org/abs/1512.03385.

    Extents of 1 stretch, as in `mul`.
    """

    is_reserved = True
    execution = Execution(saves=NOTHING, views=_has_one_branch, output_reusable=True, passes_gradients=True)

    def lower(self, *branches: Shape) -> Lowering:
        return self._lowered("add", branches)


def _shares(join: Join, *shapes: Shape) -> SavedTensors:
    """A share of each branch."""
    return SavedTensors(fixed_bytes=FLOAT_BYTES * (len(shapes) - 1))


def _mean_saves(mean: "MeanOfBranches", *shapes: Shape) -> SavedTensors:
    return _shares(mean, *shapes) if mean.is_random and len(shapes) > 2 else NOTHING


@JOINS.register("mean")
@declared
class MeanOfBranches(_Elementwise):
    """The elementwise mean of the branches, such as those of a fractal network, https://arxiv.org/abs/1605.07648.

    With `drop`, training drops each branch of each image with this probability, but never all of them, and takes the
    mean of the others; this is the local drop-path of fractal networks. Their global drop-path replaces it in a
    fraction `global_share` of the steps: one column is drawn for all images and joins of the network, and each join
    takes the branch of this column alone. Columns are branches counted from the last one, the deepest; a join with
    fewer branches isn't on the way of the others, and drops as usual. Extents of 1 stretch, as in `mul`. With a
    pattern, `mean(c, h, w -> 1, h, w)` is the mean over axes.
    """

    execution = Execution(saves=_mean_saves, views=_has_one_branch, output_reusable=True)

    drop: float = argument(Float(0, 1, open_high=True), "fraction of images for which a branch is dropped", default=0.0)

    global_share: float = argument(Float(0, 1), "fraction of steps that train one column alone", default=0.0)

    @property
    def is_random(self) -> bool:
        return self.drop > 0 or self.global_share > 0

    @property
    def scheduled_drop(self) -> float:
        return self.drop

    def lower(self, *branches: Shape) -> Lowering:
        if self.global_share and len(branches) > 1:
            return Lowering.to("mean_of_columns", p=self.drop, global_share=self.global_share, branches=len(branches))
        if self.drop and len(branches) > 1:
            return Lowering.to("mean_of_some", p=self.drop)
        return Lowering.to("mean_of_branches")


@JOINS.register("shake")
@declared
class Shake(_Elementwise):
    """Shake-Shake: a random mix of the branches, and another one of their gradients; Gastaldi 2017.

    https://arxiv.org/abs/1705.07485. In training, each image has random shares that add up to 1, uniform over all such
    shares, and new ones in the backward pass; in tests, all branches have the same share. Extents of 1 stretch, as in
    `mul`.
    """

    branches = Branches(2)
    execution = Execution(saves=_shares, output_reusable=True)

    @property
    def is_random(self) -> bool:
        return True

    def lower(self, *branches: Shape) -> Lowering:
        return Lowering.to("shake")


def _pairs_saved(join: Join, *shapes: Shape) -> SavedTensors:
    """The branches, and what the first of them make together."""
    *branches, y = shapes
    if len(branches) == 1:
        return NOTHING
    joined = accumulate((_aligned(branch, y) for branch in branches), _stretched)
    return SavedTensors(inputs=True, numbers=sum(prod(extents) for extents in list(joined)[1:-1]))


def _max_saves(join: Join, *shapes: Shape) -> SavedTensors:
    return evolve(_pairs_saved(join, *shapes), is_factor=False)


@JOINS.register("max")
@declared
class MaxOfBranches(_Elementwise):
    """The elementwise maximum of the branches: `max { conv(64, 1) | conv(64, 1) }` is a maxout of two projections.

    Extents of 1 stretch, as in `mul`. With a pattern, `max(c * 2, h, w -> c, h, w)` is the largest number along axes;
    with numbers, `max(a, b)` is the larger one.
    """

    execution = Execution(saves=_max_saves, views=_has_one_branch)

    def lower(self, *branches: Shape) -> Lowering:
        return Lowering.to("max_of_branches")


@JOINS.register("mul")
@declared
class Mul(_Elementwise):
    """The elementwise product of the branches; extents of 1 stretch to those of the other branches.

    A vector (C,) meets an image as (C, 1, 1) and tokens as (1, C), and (1,) meets everything. So to (C, H, W), a branch
    of (C,) or (C, 1, 1) is a factor for each channel, as in squeeze-and-excitation (https://arxiv.org/abs/1709.01507),
    and a branch of (1, H, W) a factor for each pixel, as in CBAM (https://arxiv.org/abs/1807.06521). (C, H, 1) and
    (C, 1, W) make (C, H, W).
    """

    is_reserved = True
    execution = Execution(saves=_pairs_saved, views=_has_one_branch)

    def lower(self, *branches: Shape) -> Lowering:
        return self._lowered("mul", branches)

    def _help(self, first: Shape, second: Shape) -> tuple[str, ...]:
        smaller, larger = sorted((first, second), key=lambda shape: (shape.elements, len(shape.extents)))
        return _scale_help(larger, smaller)


def _aligned(branch: Shape, y: Shape) -> tuple[int, ...]:
    """The extents of a branch, with extents of 1 for the missing axes."""
    if len(branch.extents) == len(y.extents):
        return branch.extents
    return (*branch.extents, 1, 1) if y.is_image else (1, *branch.extents)


def _stretched(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(max, a, b))


@JOINS.register("concat")
@declared
class Concat(Join):
    """Concatenate the branches along the first axis: channels of images, features of vectors, or tokens.

    (C1, H, W), (C2, H, W) -> (C1 + C2, H, W); (T1, D), (T2, D) -> (T1 + T2, D). All other extents are equal, and none
    stretches. `concat(features)` puts slices of tokens together: (T, D1), (T, D2) -> (T, D1 + D2).
    """

    is_reserved = True
    execution = Execution(saves=NOTHING, passes_gradients=True)

    over: str = argument(
        Choice(("first", *AXIS_WORDS)),
        "the axis; `first`: channels of images, tokens, or features of vectors",
        default="first",
    )

    def canonical(self) -> Self:
        return self.changed(over="first") if self.over in {"channels", "tokens"} else self

    def infer(self, *branches: Shape) -> Shape:
        first = branches[0]
        axis = self._axis(first)
        others = _without(first.extents, axis)
        for i, branch in enumerate(branches):
            if len(branch.extents) != len(first.extents) or _without(branch.extents, axis) != others:
                raise self._error(first, branch, i, axis)
        extents = list(first.extents)
        extents[axis] = sum(branch.extents[axis] for branch in branches)
        return Shape(tuple(extents))

    def lower(self, *branches: Shape) -> Lowering:
        return Lowering.to("concat", dim=1 + self._axis(branches[0]))

    def _axis(self, x: Shape) -> int:
        return 0 if self.over == "first" else axis_of(self, x, self.over)

    def _error(self, first: Shape, other: Shape, number: int, axis: int) -> JoinError:
        if len(first.extents) != len(other.extents):
            return JoinError(f"{self.name} needs branches of the same kind", 0, number, help=_SAME_RANK)
        if axis:
            nouns = [axis_noun(first, one) for one in range(len(first.extents)) if one != axis]
            message = f"{self.name}({self.over}) needs branches with equal numbers of {' and '.join(nouns)}"
            return JoinError(message, 0, number, help=("change a layer or a slice of one of them",))
        if first.is_image:
            return JoinError(f"{self.name} needs branches of the same height and width", 0, number, help=_SAME_WINDOWS)
        message = f"{self.name} needs tokens with the same number of features"
        return JoinError(message, 0, number, help=_same_features(first, other))


def _without(extents: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*extents[:axis], *extents[axis + 1 :])
