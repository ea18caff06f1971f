"""Weight functions: what the weight of a layer becomes before the layer uses it."""

from typing import Any, ClassVar

from cifar_dsl.ir import Call, ComputedWeight, Declaration, Lowering, Parameter, argument, declared
from cifar_dsl.operations.argument_types import Choice, Float
from cifar_dsl.operations.layers.initializer import Constant, Initializer, Ones, Whitening, Zeros, constant
from cifar_dsl.operations.registry import CallOf, MisfitError, Registry

_EPS = Float(0, 1, open_low=True)
_NORMS, _SINGULAR = Call("norms", ()), Call("singular", ())  # initial values that follow from those of the weight


class WeightFunction(Declaration):
    """A function of a weight, as a matrix of one row for each output: of a convolution, the numbers of one filter.

    The stored weight is the function's argument: it has the initial values, and training updates it. `lower` gives
    the function as an object of `training/lowering/weight_modules.py`.
    """

    is_positional: ClassVar[bool] = True
    centers: ClassVar[bool] = False  # whether each row gets the mean 0
    divides: ClassVar[bool] = True  # whether it divides by what is 0 for rows of zeros

    @property
    def is_none(self) -> bool:
        """Whether the layer uses the stored weight."""
        return False

    @property
    def kept(self) -> int:
        """How many tensors of the weight's size it keeps for the backward pass, its result included."""
        return 1

    @property
    def in_backward(self) -> int:
        """How many tensors of the weight's size are live in its backward pass, beside what it saved."""
        return 5

    def check_weight(self, rows: int, row: int, init: Initializer) -> None:
        """Raise MisfitError if it doesn't work on `rows` rows of `row` numbers that start with `init`."""
        if isinstance(init, Whitening):
            message = f"`init=whitening` sets the filters themselves, and `weight={self.name}` would change them"
            raise MisfitError("E0304", message, argument="weight", help=("leave one of the two out",))
        if self.centers and row == 1:
            message = f"`{self.name}` would make the weight 0: each output has a single number, which is its own mean"
            raise MisfitError("E0304", message, argument="weight", help=("leave it out, or use `normalized`",))
        is_constant = isinstance(init, Zeros | Ones | Constant)
        is_zero = isinstance(init, Zeros) or (isinstance(init, Constant) and not init.value)
        if (self.centers and is_constant) or (self.divides and is_zero):
            message = f"`{self.name}` needs a weight that starts with different numbers, not `{init.brief()}`"
            if not self.centers:
                message = f"`{self.name}` divides the weight by its norm, which is 0 with `{init.brief()}`"
            raise MisfitError("E0304", message, argument="weight", help=("use another `init`, such as `kaiming`",))

    def parameters(self, rows: int, row: int, *, is_frozen: bool) -> tuple[Parameter, ...]:
        """The tensors that the layer owns beside its weight."""
        return ()

    def computed(self, size: int, *, copies: bool, rearranges: bool) -> ComputedWeight:
        """The memory for what it computes from a weight of `size` numbers.

        On the device, the channels of filters come last: `copies` says whether the rows are a copy of the weight,
        `rearranges` whether the layer needs the result in that layout.
        """
        return ComputedWeight(
            used=size,
            kept=(self.kept + copies) * size,
            rearranged=rearranges * size,
            in_backward=self.in_backward * size,
        )

    def lower_layer(self, plain: str, with_function: str, **arguments: Any) -> Lowering:
        """The module of a layer: `plain` if it uses the stored weight, else `with_function`."""
        return Lowering.to(with_function, function=self.lower(), **arguments)

    def lower(self) -> Lowering:
        """The function, as data."""
        raise NotImplementedError(self.name)


WEIGHTS: Registry[WeightFunction] = Registry("weight function")


@WEIGHTS.register("none")
@declared
class Unchanged(WeightFunction):
    """The stored weight."""

    @property
    def is_none(self) -> bool:
        return True

    def check_weight(self, rows: int, row: int, init: Initializer) -> None:
        pass

    def computed(self, size: int, *, copies: bool, rearranges: bool) -> ComputedWeight:
        return ComputedWeight()

    def lower_layer(self, plain: str, with_function: str, **arguments: Any) -> Lowering:
        return Lowering.to(plain, **arguments)


@WEIGHTS.register("standardized")
@declared
class Standardized(WeightFunction):
    """Each row minus its mean, divided by its standard deviation; Qiao et al. 2019, https://arxiv.org/abs/1903.10520.

    `eps` is added to the variance. BiT, https://arxiv.org/abs/1912.11370, has `eps=1e-8`.
    """

    centers = True
    divides = False

    eps: float = argument(_EPS, "added to the variance of each row", default=1e-6)

    @property
    def in_backward(self) -> int:
        return 2

    def lower(self) -> Lowering:
        return Lowering.to("standardized", eps=self.eps)


@WEIGHTS.register("scaled")
@declared
class Scaled(WeightFunction):
    """gain * gamma / sqrt(fan-in) times the `standardized` row, with a learned gain for each output, 1 at first.

    Of networks without normalisation; Brock et al. 2021, https://arxiv.org/abs/2101.08692. `gamma` makes up for the
    activation before the layer: 1.71 for `relu`, 1.70 for `gelu`.
    """

    centers = True
    divides = False

    gamma: float = argument(Float(0, open_low=True), "factor for the activation before the layer", default=1.0)
    eps: float = argument(_EPS, "added to the variance of each row", default=1e-6)

    def parameters(self, rows: int, row: int, *, is_frozen: bool) -> tuple[Parameter, ...]:
        return (Parameter("gain", (rows,), constant(1.0), "scale", is_frozen),)

    @property
    def kept(self) -> int:
        return 2

    @property
    def in_backward(self) -> int:
        return 3

    def lower(self) -> Lowering:
        return Lowering.to("scaled", gamma=self.gamma, eps=self.eps)


@WEIGHTS.register("normalized")
@declared
class Normalized(WeightFunction):
    """Each row divided by its Euclidean norm.

    `l2norm -> dense(10, bias=false, weight=normalized) -> scale(16)` classifies by cosines. With `gain=learned`, each
    row is multiplied by a learned gain, at first its norm: weight normalisation, Salimans and Kingma 2016,
    https://arxiv.org/abs/1602.07868.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.weight_norm.html
    """

    gain: str = argument(Choice(("none", "learned")), "factor of each row", default="none")

    def parameters(self, rows: int, row: int, *, is_frozen: bool) -> tuple[Parameter, ...]:
        return (Parameter("gain", (rows,), _NORMS, "scale", is_frozen),) if self.gain == "learned" else ()

    @property
    def kept(self) -> int:
        return 2 if self.gain == "learned" else 1

    @property
    def in_backward(self) -> int:
        return 4 if self.gain == "learned" else 5

    def lower(self) -> Lowering:
        return Lowering.to("weight_norm" if self.gain == "learned" else "normalized")


@WEIGHTS.register("spectral")
@declared
class Spectral(WeightFunction):
    """The weight divided by its largest singular value; Miyato et al. 2018, https://arxiv.org/abs/1802.05957.

    An estimate, from vectors `left` and `right` that each forward pass in training improves once, and that are saved
    with the weights.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.spectral_norm.html
    """

    def parameters(self, rows: int, row: int, *, is_frozen: bool) -> tuple[Parameter, ...]:
        return tuple(Parameter(name, (size,), _SINGULAR, "buffer") for name, size in (("left", rows), ("right", row)))

    def lower(self) -> Lowering:
        return Lowering.to("spectral")


@WEIGHTS.register("capped")
@declared
class Capped(WeightFunction):
    """Rows that are longer than `most`, scaled to that length.

    The max-norm of Srivastava et al. 2014, which puts the weights themselves back after each step, is the setting
    `constrain max_norm` of `train`.
    """

    divides = False

    most: float = argument(Float(0, open_low=True), "the largest Euclidean norm of a row")

    @property
    def in_backward(self) -> int:
        return 3

    def lower(self) -> Lowering:
        return Lowering.to("capped", most=self.most)


WEIGHT = CallOf(WEIGHTS)
WEIGHT_DOC = "function of the weight that the layer uses"
