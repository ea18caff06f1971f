"""Joins: combine several branches into one tensor."""

from itertools import accumulate
from math import prod

from cifar_dsl.ir import Execution, Lowering, SavedTensors, Shape, declared
from cifar_dsl.ir.execution import NOTHING
from cifar_dsl.operations.layers.base import JOINS, Join, JoinError

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


def _broadcastable_to(x: Shape) -> set[tuple[int, ...]]:
    """The shapes that can be multiplied with `x` by broadcasting."""
    if x.is_image:
        channels, height, width = x.extents
        return {(channels,), (channels, 1, 1), (1, height, width)}
    if x.is_tokens:
        tokens, features = x.extents
        return {(features,), (1, features), (tokens, 1)}
    return set()


def _has_one_branch(join: Join, *branches: Shape) -> bool:
    return len(branches) == 1


@JOINS.register("add")
@declared
class Add(Join):
    """The elementwise sum of the branches, which all have the same shape.

    As in residual blocks, He et al. 2015, https://arxiv.org/abs/1512.03385.
    """

    is_reserved = True
    execution = Execution(saves=NOTHING, views=_has_one_branch, output_reusable=True, passes_gradients=True)

    def infer(self, *branches: Shape) -> Shape:
        for i, branch in enumerate(branches):
            if branch != branches[0]:
                raise JoinError(
                    f"{self.name} needs branches of the same shape", 0, i, help=_elementwise_help(branches[0], branch)
                )
        return branches[0]

    def lower(self, *branches: Shape) -> Lowering:
        return Lowering.to("add")


def _mul_saves(mul: Join, *shapes: Shape) -> SavedTensors:
    *branches, y = shapes
    if len(branches) == 1:
        return NOTHING
    products = accumulate((_aligned(branch, y) for branch in branches), _product)
    return SavedTensors(inputs=True, numbers=sum(prod(extents) for extents in list(products)[1:-1]))


@JOINS.register("mul")
@declared
class Mul(Join):
    """The elementwise product of the branches, which have the same shape or are broadcast.

    To (C, H, W), a branch of (C,) or (C, 1, 1) is a factor for each channel, as in squeeze-and-excitation
    (https://arxiv.org/abs/1709.01507), and a branch of (1, H, W) a factor for each pixel, as in CBAM
    (https://arxiv.org/abs/1807.06521). To tokens (T, D), (D,) or (1, D) is a factor for each feature, and (T, 1)
    one for each token.
    """

    is_reserved = True
    execution = Execution(saves=_mul_saves, views=_has_one_branch)

    def infer(self, *branches: Shape) -> Shape:
        largest = max(branches, key=lambda shape: (shape.elements, len(shape.extents)))
        for i, branch in enumerate(branches):
            if branch != largest and branch.extents not in _broadcastable_to(largest):
                raise JoinError(
                    f"{self.name} needs branches of the same shape, or one number for each channel",
                    branches.index(largest),
                    i,
                    help=_scale_help(largest, branch),
                )
        return largest

    def lower(self, *branches: Shape) -> Lowering:
        return Lowering.to("mul")


def _aligned(branch: Shape, y: Shape) -> tuple[int, ...]:
    """The extents of a branch, with extents of 1 for the missing axes."""
    if len(branch.extents) == len(y.extents):
        return branch.extents
    return (*branch.extents, 1, 1) if y.is_image else (1, *branch.extents)


def _product(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(max, a, b))


@JOINS.register("concat")
@declared
class Concat(Join):
    """Concatenate the branches along the first axis: channels of images, features of vectors, or tokens.

    (C1, H, W), (C2, H, W) -> (C1 + C2, H, W); (T1, D), (T2, D) -> (T1 + T2, D). All other extents are equal.
    Slices of tokens have fewer features, not fewer tokens: to put them together, `transpose` before and after.
    """

    is_reserved = True
    execution = Execution(saves=NOTHING, passes_gradients=True)

    def infer(self, *branches: Shape) -> Shape:
        first = branches[0]
        for i, branch in enumerate(branches):
            if branch.extents[1:] != first.extents[1:]:
                raise self._error(first, branch, i)
        return Shape((sum(branch.extents[0] for branch in branches), *first.extents[1:]))

    def lower(self, *branches: Shape) -> Lowering:
        return Lowering.to("concat")

    def _error(self, first: Shape, other: Shape, number: int) -> JoinError:
        if len(first.extents) != len(other.extents):
            return JoinError(f"{self.name} needs branches of the same kind", 0, number, help=_SAME_RANK)
        if first.is_image:
            return JoinError(f"{self.name} needs branches of the same height and width", 0, number, help=_SAME_WINDOWS)
        message = f"{self.name} needs tokens with the same number of features"
        return JoinError(message, 0, number, help=_same_features(first, other))
