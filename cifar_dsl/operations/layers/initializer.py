"""Initialisers: the values of a weight before training."""

from math import isqrt, prod
from typing import ClassVar

from cifar_dsl.ir import Call, Declaration, argument, declared
from cifar_dsl.operations.argument_types import Bool, Choice, Float, OneOf, Pair
from cifar_dsl.operations.registry import MisfitError, Registry

_GAIN = Float(0, open_low=True)


class Initializer(Declaration):
    """An initialiser of a weight of shape (out, in, ...), whose fan-in is in * ... and fan-out is out * ..."""

    is_positional: ClassVar[bool] = True

    def fill(self, shape: tuple[int, ...]) -> Call:
        """The initial values of a tensor of this shape, as data. Raises MisfitError if the shape doesn't fit."""
        raise NotImplementedError(self.name, shape)


INITIALIZERS: Registry[Initializer] = Registry("initialiser")


def uniform(bound: float) -> Call:
    """Uniform on (-bound, bound)."""
    return Call("uniform", (("bound", bound),))


def normal(std: float) -> Call:
    """Normal with mean 0."""
    return Call("normal", (("std", std),))


def constant(value: float) -> Call:
    """The same value everywhere."""
    return Call("constant", (("value", value),))


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Fan-in and fan-out of a weight, as in torch.nn.init."""
    window = prod(shape[2:])
    return shape[1] * window, shape[0] * window


@INITIALIZERS.register("standard")
@declared
class Standard(Initializer):
    """The default of torch: uniform on (-b, b) with b = 1 / sqrt(fan-in).

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html
    """

    def fill(self, shape: tuple[int, ...]) -> Call:
        return uniform(fans(shape)[0] ** -0.5)


@INITIALIZERS.register("unit_variance")
@declared
class UnitVariance(Initializer):
    """Like `standard`, then divided by the standard deviation of the drawn values."""

    def fill(self, shape: tuple[int, ...]) -> Call:
        if prod(shape) == 1:
            raise MisfitError("E0304", "a weight with a single element has no standard deviation", argument="init")
        return Call("unit_variance", uniform(fans(shape)[0] ** -0.5).arguments)


_DISTRIBUTION = Choice(("normal", "uniform"))
_GAINS = {"relu": 2**0.5, "linear": 1.0, "tanh": 5 / 3, "selu": 3 / 4}


@INITIALIZERS.register("kaiming")
@declared
class Kaiming(Initializer):
    """Variance gain^2 / fan, so that activations keep their variance; He et al. 2015, https://arxiv.org/abs/1502.01852."""

    mode: str = argument(Choice(("fan_in", "fan_out")), "which fan", default="fan_in")
    distribution: str = argument(_DISTRIBUTION, "distribution of the values", default="normal")
    gain: str = argument(Choice(tuple(_GAINS)), "the activation that follows", default="relu")

    def fill(self, shape: tuple[int, ...]) -> Call:
        fan_in, fan_out = fans(shape)
        return _drawn(self.distribution, _GAINS[self.gain] * (fan_in if self.mode == "fan_in" else fan_out) ** -0.5)


@INITIALIZERS.register("xavier")
@declared
class Xavier(Initializer):
    """Variance gain^2 * 2 / (fan-in + fan-out); Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html."""

    distribution: str = argument(_DISTRIBUTION, "distribution of the values", default="uniform")
    gain: float = argument(_GAIN, "factor on the standard deviation", default=1.0)

    def fill(self, shape: tuple[int, ...]) -> Call:
        return _drawn(self.distribution, self.gain * (2 / sum(fans(shape))) ** 0.5)


def _drawn(distribution: str, std: float) -> Call:
    return normal(std) if distribution == "normal" else uniform(3**0.5 * std)


@INITIALIZERS.register("normal")
@declared
class Normal(Initializer):
    """Normal with mean 0."""

    std: float = argument(Float(0, open_low=True), "standard deviation", default=0.02)

    def fill(self, shape: tuple[int, ...]) -> Call:
        return normal(self.std)


@INITIALIZERS.register("truncated_normal")
@declared
class TruncatedNormal(Initializer):
    """Normal with mean 0; values outside [-2, 2] are drawn again.

    Torch: https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.trunc_normal_
    """

    std: float = argument(Float(0, open_low=True), "standard deviation", default=0.02)

    def fill(self, shape: tuple[int, ...]) -> Call:
        return Call("truncated_normal", (("std", self.std),))


@INITIALIZERS.register("uniform")
@declared
class Uniform(Initializer):
    """Uniform on (-bound, bound)."""

    bound: float = argument(Float(0, open_low=True), "bound of the absolute values")

    def fill(self, shape: tuple[int, ...]) -> Call:
        return uniform(self.bound)


@INITIALIZERS.register("orthogonal")
@declared
class Orthogonal(Initializer):
    """Orthogonal rows, or orthogonal columns if there are fewer of them; Saxe et al. 2013, https://arxiv.org/abs/1312.6120."""

    gain: float = argument(_GAIN, "norm of each row (or column)", default=1.0)

    def fill(self, shape: tuple[int, ...]) -> Call:
        return Call("orthogonal", (("gain", self.gain),))


@INITIALIZERS.register("dirac")
@declared
class Dirac(Initializer):
    """Identity: the first in_channels filters copy one input channel each; the other filters are like `standard`.

    With groups, the first in_channels / groups filters of each group copy the channels of their group. In a dense
    layer, the first outputs are the inputs.
    Torch: https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.dirac_
    """

    def fill(self, shape: tuple[int, ...]) -> Call:
        return Call("dirac", uniform(fans(shape)[0] ** -0.5).arguments)


@INITIALIZERS.register("zeros")
@declared
class Zeros(Initializer):
    """All 0."""

    def fill(self, shape: tuple[int, ...]) -> Call:
        return constant(0.0)


@INITIALIZERS.register("ones")
@declared
class Ones(Initializer):
    """All 1."""

    def fill(self, shape: tuple[int, ...]) -> Call:
        return constant(1.0)


@INITIALIZERS.register("constant")
@declared
class Constant(Initializer):
    """A constant."""

    value: float = argument(Float(), "the value")

    def fill(self, shape: tuple[int, ...]) -> Call:
        return constant(self.value)


@INITIALIZERS.register("whitening")
@declared
class Whitening(Initializer):
    """Filters computed from the training images, which make the outputs uncorrelated with variance 1.

    For the first convolution of a network only. Half of the filters are eigenvectors of the covariance of patches
    from 5,000 images spread over the training set, the other half their negatives, as in
    https://github.com/KellerJordan/cifar10-airbench. Until training starts, the weight is like `standard`.
    """

    eps: float = argument(Float(0, open_low=True), "added to the eigenvalues", default=5e-4)

    def fill(self, shape: tuple[int, ...]) -> Call:
        return Call("whitening", (*uniform(fans(shape)[0] ** -0.5).arguments, ("eps", self.eps)))


@INITIALIZERS.register("sine")
@declared
class Sine(Initializer):
    """Sines and cosines of the position at frequencies temperature^(-i / n), i = 0, ..., n - 1; for (T, D) only.

    Without `grid`, the position is the token's index, and feature 2i is the sine and 2i + 1 the cosine of frequency i,
    with n = D / 2, as in Vaswani et al. 2017, https://arxiv.org/abs/1706.03762. With `grid`, D / 4 sines and cosines of
    the column come first, then those of the row, as in He et al. 2021, https://arxiv.org/abs/2111.06377; tokens before
    those of the grid, such as a class token, get zeros. `normalized` positions of n tokens, rows or columns run from
    2 pi / n to 2 pi, as in DETR, https://arxiv.org/abs/2005.12872.
    """

    grid: tuple[int, int] | str = argument(
        OneOf((Choice(("none", "square")), Pair(1))),
        "rows and columns of the patches; `square`: T or T - 1 is a square",
        default="none",
    )
    temperature: float = argument(Float(1), "base of the frequencies", default=10_000.0)
    normalized: bool = argument(Bool(), "positions of at most 2 pi", default=False)

    def fill(self, shape: tuple[int, ...]) -> Call:
        tokens, features = shape if len(shape) == 2 else (0, 0)
        if not tokens:
            raise MisfitError("E0304", "`sine` initialises positions of tokens only", argument="init")
        rows, columns = self._extents(tokens)
        parts = 4 if rows else 2
        if features % parts:
            message = f"`sine` needs a number of features that is divisible by {parts}"
            raise MisfitError(
                "E0304",
                message,
                argument="init",
                label=f"the tokens have {features}",
                help=(f"use {-(-features // parts) * parts} features",),
            )
        numbers = {
            "rows": rows,
            "columns": columns,
            "temperature": self.temperature,
            "normalized": int(self.normalized),
        }
        return Call("sine", tuple(numbers.items()))

    def _extents(self, tokens: int) -> tuple[int, int]:
        """Rows and columns of the grid; 0 without one. Raises MisfitError if it doesn't fit the number of tokens."""
        if self.grid == "none":
            return 0, 0
        side = isqrt(tokens)
        rows, columns = (side, side) if isinstance(self.grid, str) else self.grid
        if isinstance(self.grid, str) and tokens - rows * columns > 1:
            message = f"neither {tokens} tokens nor {tokens - 1} fill a square"
        elif rows * columns > tokens:
            message = f"a grid of {rows}x{columns} has more than {tokens} tokens"
        else:
            return rows, columns
        help_text = f"set the rows and columns of the patches, e.g. `sine(grid={side}x{side})`"
        raise MisfitError("E0304", message, argument="init", help=(help_text,))
