"""Initialisers: how a weight is filled before training."""

from math import prod
from typing import ClassVar

from cifar_dsl.ir import Call, Declaration, argument, declared
from cifar_dsl.operations.argument_types import Choice, Float
from cifar_dsl.operations.registry import MisfitError, Registry

_GAIN = Float(0, open_low=True)


class Initializer(Declaration):
    """A way to fill a weight of shape (out, in, ...): its fan-in is in * ..., its fan-out out * ..."""

    is_positional: ClassVar[bool] = True

    def fill(self, shape: tuple[int, ...]) -> Call:
        """How the tensor is filled, as data that needs to know nothing of layers."""
        raise NotImplementedError(self.name, shape)


INITIALIZERS: Registry[Initializer] = Registry("initialiser")


def uniform(bound: float) -> Call:
    """Values drawn evenly from (-bound, bound)."""
    return Call("uniform", (("bound", bound),))


def normal(std: float) -> Call:
    """Values drawn from a normal distribution around 0."""
    return Call("normal", (("std", std),))


def constant(value: float) -> Call:
    """Values that are all the same."""
    return Call("constant", (("value", value),))


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Fan-in and fan-out of a weight, as torch.nn.init counts them."""
    window = prod(shape[2:])
    return shape[1] * window, shape[0] * window


@INITIALIZERS.register("standard")
@declared
class Standard(Initializer):
    """What torch does when nothing is said: evenly from (-b, b) with b = 1 / sqrt(fan-in).

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html
    """

    def fill(self, shape: tuple[int, ...]) -> Call:
        return uniform(fans(shape)[0] ** -0.5)


@INITIALIZERS.register("unit_variance")
@declared
class UnitVariance(Initializer):
    """As `standard`, then divided by the values' own standard deviation."""

    def fill(self, shape: tuple[int, ...]) -> Call:
        if prod(shape) == 1:
            raise MisfitError("E0304", "a weight of one number has no standard deviation", argument="init")
        return Call("unit_variance", uniform(fans(shape)[0] ** -0.5).arguments)


_DISTRIBUTION = Choice(("normal", "uniform"))
_GAINS = {"relu": 2**0.5, "linear": 1.0, "tanh": 5 / 3, "selu": 3 / 4}


@INITIALIZERS.register("kaiming")
@declared
class Kaiming(Initializer):
    """Variance gain^2 / fan, so that signals keep their size; He et al. 2015, https://arxiv.org/abs/1502.01852."""

    mode: str = argument(Choice(("fan_in", "fan_out")), "the fan that is counted", default="fan_in")
    distribution: str = argument(_DISTRIBUTION, "what values are drawn from", default="normal")
    gain: str = argument(Choice(tuple(_GAINS)), "the activation that follows", default="relu")

    def fill(self, shape: tuple[int, ...]) -> Call:
        fan_in, fan_out = fans(shape)
        return _drawn(self.distribution, _GAINS[self.gain] * (fan_in if self.mode == "fan_in" else fan_out) ** -0.5)


@INITIALIZERS.register("xavier")
@declared
class Xavier(Initializer):
    """Variance gain^2 * 2 / (fan-in + fan-out); Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html."""

    distribution: str = argument(_DISTRIBUTION, "what values are drawn from", default="uniform")
    gain: float = argument(_GAIN, "what the standard deviation is multiplied by", default=1.0)

    def fill(self, shape: tuple[int, ...]) -> Call:
        return _drawn(self.distribution, self.gain * (2 / sum(fans(shape))) ** 0.5)


def _drawn(distribution: str, std: float) -> Call:
    return normal(std) if distribution == "normal" else uniform(3**0.5 * std)


@INITIALIZERS.register("normal")
@declared
class Normal(Initializer):
    """Drawn from a normal distribution around 0."""

    std: float = argument(Float(0, open_low=True), "standard deviation", default=0.02)

    def fill(self, shape: tuple[int, ...]) -> Call:
        return normal(self.std)


@INITIALIZERS.register("truncated_normal")
@declared
class TruncatedNormal(Initializer):
    """Drawn from a normal distribution around 0; what falls outside of [-2, 2] is drawn again.

    Torch: https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.trunc_normal_
    """

    std: float = argument(Float(0, open_low=True), "standard deviation", default=0.02)

    def fill(self, shape: tuple[int, ...]) -> Call:
        return Call("truncated_normal", (("std", self.std),))


@INITIALIZERS.register("uniform")
@declared
class Uniform(Initializer):
    """Drawn evenly from (-bound, bound)."""

    bound: float = argument(Float(0, open_low=True), "the largest magnitude")

    def fill(self, shape: tuple[int, ...]) -> Call:
        return uniform(self.bound)


@INITIALIZERS.register("orthogonal")
@declared
class Orthogonal(Initializer):
    """Rows, or where there are more rows than columns columns, at right angles; Saxe et al. 2013, https://arxiv.org/abs/1312.6120."""

    gain: float = argument(_GAIN, "length of the rows", default=1.0)

    def fill(self, shape: tuple[int, ...]) -> Call:
        return Call("orthogonal", (("gain", self.gain),))


@INITIALIZERS.register("dirac")
@declared
class Dirac(Initializer):
    """The first filters hand on one input channel each; further filters are as `standard`.

    As torch.nn.init.dirac_ does it, https://docs.pytorch.org/docs/stable/nn.init.html#torch.nn.init.dirac_,
    on the first in_channels filters; in a dense layer, the first outputs are the inputs.
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
    """All the same."""

    value: float = argument(Float(), "the value")

    def fill(self, shape: tuple[int, ...]) -> Call:
        return constant(self.value)


@INITIALIZERS.register("whitening")
@declared
class Whitening(Initializer):
    """Worked out from the training images, so that the outputs are uncorrelated and have variance 1.

    For the first convolution of a network only. Half of the filters are eigenvectors of the covariance of the
    patches of 5,000 images from all over the training set, the others their negatives; after
    https://github.com/KellerJordan/cifar10-airbench. Until training starts, the weight is as `standard`.
    """

    eps: float = argument(Float(0, open_low=True), "added to the eigenvalues", default=5e-4)

    def fill(self, shape: tuple[int, ...]) -> Call:
        return Call("whitening", (*uniform(fans(shape)[0] ** -0.5).arguments, ("eps", self.eps)))
