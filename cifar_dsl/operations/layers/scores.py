"""Layers that work on scores of attention: heads x queries x keys."""

from math import isqrt

from cifar_dsl.ir import Execution, Lowering, Parameter, SavedTensors, Shape, argument, declared
from cifar_dsl.ir.execution import NOTHING
from cifar_dsl.operations.argument_types import Choice, Int, OneOf, Pair
from cifar_dsl.operations.layers.base import LAYERS, Layer, noun, require_tokens
from cifar_dsl.operations.layers.divisible import check_divisible
from cifar_dsl.operations.layers.initializer import INITIALIZERS, Initializer, Normal, TruncatedNormal
from cifar_dsl.operations.registry import CallOf, MisfitError

_GROUP = "Tokens and attention"

_INIT = CallOf(INITIALIZERS, ("zeros", "constant", "normal", "truncated_normal", "uniform"))
_SIZE = OneOf((Choice(("square",)), Pair(1)))
_SIZE_DOC = "height and width of the pixels that the tokens are; `square`: both sqrt(T)"


def _sides(layer: Layer, tokens: int, size: tuple[int, int] | str) -> tuple[int, int]:
    """Height and width of the pixels that are these tokens. Raises MisfitError if their number differs."""
    side = isqrt(tokens)
    height, width = (side, side) if isinstance(size, str) else size
    if height * width != tokens:
        divisor = next(one for one in range(side, 0, -1) if not tokens % one)
        what = "a square" if isinstance(size, str) else f"{height}x{width}"
        raise MisfitError(
            "E0304",
            f"{tokens} tokens don't fill {what}, whose positions {layer.name} compares",
            argument="size",
            help=(f"set height and width of the pixels, e.g. `size={divisor}x{tokens // divisor}`",),
        )
    return height, width


@LAYERS.register("relative_bias", _GROUP)
@declared
class RelativeBias(Layer):
    """Add to each score a learned number for its head and the distance from query to key in rows and columns.

    (heads, T, T), unchanged; as in Swin, Liu et al. 2021, https://arxiv.org/abs/2103.14030.
    """

    family = "dense"
    execution = Execution(saves=NOTHING, output_dtype="float32")

    size: tuple[int, int] | str = argument(_SIZE, _SIZE_DOC, default="square")
    init: Initializer = argument(_INIT, "initialiser of the numbers", default=TruncatedNormal())

    def infer(self, x: Shape) -> Shape:
        self._extents(x)
        return x

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        height, width = self._extents(x)
        shape = ((2 * height - 1) * (2 * width - 1), x.channels)
        return (Parameter("weight", shape, self.init.fill(shape), "embedding"),)

    def lower(self, x: Shape) -> Lowering:
        height, width = self._extents(x)
        return Lowering.to("relative_bias", heads=x.channels, height=height, width=width)

    def _extents(self, x: Shape) -> tuple[int, int]:
        if not x.is_image:
            raise MisfitError(
                "E0306",
                f"{self.name} works on scores (heads, queries, keys), not on {noun(x)}",
                help=("pass it to the attention: `attention(heads, before=relative_bias)`",),
            )
        _, queries, keys = x.extents
        if queries != keys:
            raise MisfitError(
                "E0304",
                f"relative_bias works on scores of as many queries as keys, not on {queries} queries and {keys} keys",
                help=("let queries and keys be the same tokens, or use a learned bias of another kind",),
            )
        return _sides(self, keys, self.size)


def _relative_scores_saves(layer: "RelativeScores", x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(inputs=True, numbers=x.elements)  # the queries, in two orders


@LAYERS.register("relative_scores", _GROUP)
@declared
class RelativeScores(Layer):
    """Scores of queries with learned vectors for the distances to all keys: (T, D) -> (heads, T, T).

    The sum over rows and columns of a product of the query with a vector for the distance; each head has the same
    vectors. As in BoTNet, Srinivas et al. 2021, https://arxiv.org/abs/2101.11605.
    """

    family = "dense"
    execution = Execution(saves=_relative_scores_saves, autocasts=True)

    heads: int = argument(Int(1), "number of heads; must divide D")
    size: tuple[int, int] | str = argument(_SIZE, _SIZE_DOC, default="square")
    init: Initializer = argument(_INIT, "initialiser of the vectors", default=Normal())

    def infer(self, x: Shape) -> Shape:
        tokens, features = require_tokens(self, x)
        check_divisible(features, "features", self.heads, "heads")
        self.extents(x)
        return Shape((self.heads, tokens, tokens))

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        height, width = self.extents(x)
        shapes = {
            "rows": (2 * height - 1, x.channels // self.heads),
            "columns": (2 * width - 1, x.channels // self.heads),
        }
        return tuple(Parameter(name, shape, self.init.fill(shape), "embedding") for name, shape in shapes.items())

    def macs(self, x: Shape, y: Shape) -> int:
        height, width = self.extents(x)
        return x.elements * (height + width)

    def lower(self, x: Shape) -> Lowering:
        height, width = self.extents(x)
        features = x.channels // self.heads
        return Lowering.to("relative_scores", heads=self.heads, features=features, height=height, width=width)

    def extents(self, x: Shape) -> tuple[int, int]:
        """Height and width of the pixels that the tokens are."""
        return _sides(self, x.extents[0], self.size)
