"""Activations: elementwise, without change of shape unless stated."""

from typing import Self

from cifar_dsl.ir import Execution, Lowering, Parameter, SavedTensors, Shape, argument, declared
from cifar_dsl.ir.execution import INPUT, OUTPUT
from cifar_dsl.operations.argument_types import Bool, Choice, Float
from cifar_dsl.operations.layers.axes import AXIS_WORDS, axis_of
from cifar_dsl.operations.layers.base import LAYERS, Layer
from cifar_dsl.operations.layers.initializer import constant
from cifar_dsl.operations.registry import MisfitError

_GROUP = "Activations"

_THRESHOLD = Float(0)


def _input_and_one_more(activation: Layer, x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(inputs=True, numbers=y.elements)


class _Activation(Layer):
    family = "activation"
    execution = Execution(saves=INPUT)


@LAYERS.register("relu", _GROUP)
@declared
class Relu(_Activation):
    """max(0, x). Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU.html."""

    is_idempotent = True
    commutes_with_max = True
    execution = Execution(saves=OUTPUT, can_overwrite=True)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.ReLU")


@LAYERS.register("leaky_relu", _GROUP)
@declared
class LeakyRelu(_Activation):
    """x if x > 0, else slope * x.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.LeakyReLU.html
    """

    slope: float = argument(Float(0), "slope below zero", default=0.01)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.LeakyReLU", negative_slope=self.slope)


@LAYERS.register("elu", _GROUP)
@declared
class Elu(_Activation):
    """x if x > 0, else alpha * (exp(x) - 1); Clevert et al. 2015, https://arxiv.org/abs/1511.07289."""

    alpha: float = argument(Float(0, open_low=True), "minus the limit for x -> -inf", default=1.0)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.ELU", alpha=self.alpha)


@LAYERS.register("gelu", _GROUP)
@declared
class Gelu(_Activation):
    """x * Phi(x), with the cumulative distribution function Phi of the normal distribution; Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415."""

    approximate: str = argument(Choice(("none", "tanh")), "`tanh`: a faster approximation", default="none")

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.GELU", approximate=self.approximate)


@LAYERS.register("silu", _GROUP)
@declared
class Silu(_Activation):
    """x * sigmoid(x), also called swish; https://arxiv.org/abs/1710.05941."""

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.SiLU")


@LAYERS.register("sigmoid", _GROUP)
@declared
class Sigmoid(_Activation):
    """1 / (1 + exp(-x))."""

    execution = Execution(saves=OUTPUT)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Sigmoid")


@LAYERS.register("tanh", _GROUP)
@declared
class Tanh(_Activation):
    """tanh(x), the hyperbolic tangent."""

    execution = Execution(saves=OUTPUT)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Tanh")


@LAYERS.register("prelu", _GROUP)
@declared
class PRelu(_Activation):
    """x if x > 0, else slope * x with a learned slope; He et al. 2015, https://arxiv.org/abs/1502.01852.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.PReLU.html
    """

    execution = Execution(saves=INPUT, autocasts=True)

    channelwise: bool = argument(Bool(), "one slope for each channel (or feature), not one for all", default=True)
    init: float = argument(Float(), "initial value of the slope", default=0.25)

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return (Parameter("weight", (self._slopes(x),), constant(self.init), "scale"),)

    def lower(self, x: Shape) -> Lowering:
        # Torch's module takes the first axis of a sample for the channels; the first axis of tokens (T, D) is T.
        name = "token_prelu" if x.is_tokens and self.channelwise else "torch.nn.PReLU"
        return Lowering.to(name, num_parameters=self._slopes(x))

    def _slopes(self, x: Shape) -> int:
        return x.channels if self.channelwise else 1


@LAYERS.register("relu6", _GROUP)
@declared
class Relu6(_Activation):
    """min(max(0, x), 6). Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU6.html."""

    is_idempotent = True
    commutes_with_max = True

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.ReLU6")


@LAYERS.register("selu", _GROUP)
@declared
class Selu(_Activation):
    """A scaled elu whose outputs keep mean 0 and variance 1; Klambauer et al. 2017, https://arxiv.org/abs/1706.02515."""

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.SELU")


@LAYERS.register("celu", _GROUP)
@declared
class Celu(_Activation):
    """x if x > 0, else alpha * (exp(x / alpha) - 1); Barron 2017, https://arxiv.org/abs/1704.07483."""

    # Bounded below: torch divides by alpha in float32.
    alpha: float = argument(Float(1e-6), "minus the limit for x -> -inf", default=1.0)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.CELU", alpha=self.alpha)


@LAYERS.register("mish", _GROUP)
@declared
class Mish(_Activation):
    """x * tanh(softplus(x)); Misra 2019, https://arxiv.org/abs/1908.08681."""

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Mish")


@LAYERS.register("softplus", _GROUP)
@declared
class Softplus(_Activation):
    """log(1 + exp(beta * x)) / beta, a smooth approximation of relu.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Softplus.html
    """

    execution = Execution(saves=INPUT, float32_on=frozenset({"cuda"}))

    beta: float = argument(Float(0, open_low=True), "sharpness of the bend at 0", default=1.0)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Softplus", beta=self.beta)


@LAYERS.register("softsign", _GROUP)
@declared
class Softsign(_Activation):
    """x / (1 + |x|). Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Softsign.html."""

    execution = Execution(saves=_input_and_one_more)  # the denominator

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Softsign")


@LAYERS.register("hardtanh", _GROUP)
@declared
class Hardtanh(_Activation):
    """x, clipped to [low, high].

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardtanh.html
    """

    is_idempotent = True
    commutes_with_max = True

    low: float = argument(Float(), "the smallest output", default=-1.0)
    high: float = argument(Float(), "the largest output", default=1.0)

    def check(self) -> None:
        if self.low >= self.high:
            raise MisfitError(
                "E0304",
                "`low` must be less than `high`",
                argument="low",
                label=f"{self.low:g} is not less than {self.high:g}",
                help=("write the smaller number first, e.g. `hardtanh(-1, 1)`",),
            )

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Hardtanh", min_val=self.low, max_val=self.high)


@LAYERS.register("hardsigmoid", _GROUP)
@declared
class Hardsigmoid(_Activation):
    """x / 6 + 1 / 2, clipped to [0, 1]. Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardsigmoid.html."""

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Hardsigmoid")


@LAYERS.register("hardswish", _GROUP)
@declared
class Hardswish(_Activation):
    """x * hardsigmoid(x), as in MobileNetV3; Howard et al. 2019, https://arxiv.org/abs/1905.02244."""

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Hardswish")


@LAYERS.register("log_sigmoid", _GROUP)
@declared
class LogSigmoid(_Activation):
    """log(sigmoid(x)). Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.LogSigmoid.html."""

    execution = Execution(saves=_input_and_one_more)  # exp(-|x|)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.LogSigmoid")


@LAYERS.register("hardshrink", _GROUP)
@declared
class Hardshrink(_Activation):
    """x if |x| > threshold, else 0.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardshrink.html
    """

    is_idempotent = True

    threshold: float = argument(_THRESHOLD, "the largest |x| that becomes 0", default=0.5)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Hardshrink", lambd=self.threshold)


@LAYERS.register("softshrink", _GROUP)
@declared
class Softshrink(_Activation):
    """sign(x) * max(0, |x| - threshold).

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Softshrink.html
    """

    threshold: float = argument(_THRESHOLD, "the largest |x| that becomes 0", default=0.5)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Softshrink", lambd=self.threshold)


@LAYERS.register("softmax", _GROUP)
@declared
class Softmax(_Activation):
    """exp(x) / sum(exp(x)) over the channels of each pixel, or the features of each token or vector, or another axis.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmax.html
    """

    execution = Execution(saves=OUTPUT, float32_on=frozenset({"cuda"}))

    over: str = argument(
        Choice(AXIS_WORDS), "the axis; `channels`: of images, and the features of others", default="channels"
    )

    def canonical(self) -> Self:
        return self.changed(over="channels") if self.over == "features" else self

    def infer(self, x: Shape) -> Shape:
        self._axis(x)
        return x

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Softmax", dim=1 + self._axis(x))

    def _axis(self, x: Shape) -> int:
        return axis_of(self, x, "features" if self.over == "channels" and not x.is_image else self.over)


@LAYERS.register("glu", _GROUP)
@declared
class Glu(_Activation):
    """The first half of the channels (or features) times the sigmoid of the second: (C, H, W) -> (C / 2, H, W).

    Dauphin et al. 2016, https://arxiv.org/abs/1612.08083.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.GLU.html
    """

    def infer(self, x: Shape) -> Shape:
        if x.channels % 2:
            what = "channels" if x.is_image else "features"
            raise MisfitError(
                "E0302",
                f"{self.name} needs an even number of {what}",
                label=f"its input has {x.channels}",
                help=(f"make the stage before it output {x.channels + 1} {what}",),
            )
        half = x.channels // 2
        return Shape((half, *x.extents[1:]) if x.is_image else (*x.extents[:-1], half))

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.GLU", dim=1 if x.is_image else -1)
