"""Activations: functions of each number by itself, without weights."""

from cifar_dsl.ir import Call, Shape
from cifar_dsl.layers.base import LAYERS, Layer
from cifar_dsl.registry import Choice, Float, argument, declared


@LAYERS.register("relu")
@declared
class Relu(Layer):
    """max(0, x). Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU.html."""

    def emit(self, x: Shape) -> Call:
        return Call("torch.nn.ReLU")


@LAYERS.register("leaky_relu")
@declared
class LeakyRelu(Layer):
    """x where positive, else slope * x.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.LeakyReLU.html
    """

    slope: float = argument(Float(0), "slope below zero", default=0.01)

    def emit(self, x: Shape) -> Call:
        return Call("torch.nn.LeakyReLU", (("negative_slope", self.slope),))


@LAYERS.register("elu")
@declared
class Elu(Layer):
    """x where positive, else alpha * (exp(x) - 1); Clevert et al. 2015, https://arxiv.org/abs/1511.07289."""

    alpha: float = argument(Float(0, open_low=True), "how far below zero it reaches", default=1.0)

    def emit(self, x: Shape) -> Call:
        return Call("torch.nn.ELU", (("alpha", self.alpha),))


@LAYERS.register("gelu")
@declared
class Gelu(Layer):
    """x times the normal distribution function of x; Hendrycks 2016, https://arxiv.org/abs/1606.08415."""

    approximate: str = argument(Choice(("none", "tanh")), "`tanh` is the faster approximation", default="none")

    def emit(self, x: Shape) -> Call:
        return Call("torch.nn.GELU", (("approximate", self.approximate),))


@LAYERS.register("silu")
@declared
class Silu(Layer):
    """x * sigmoid(x), also called swish; https://arxiv.org/abs/1710.05941."""

    def emit(self, x: Shape) -> Call:
        return Call("torch.nn.SiLU")


@LAYERS.register("sigmoid")
@declared
class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""

    def emit(self, x: Shape) -> Call:
        return Call("torch.nn.Sigmoid")


@LAYERS.register("tanh")
@declared
class Tanh(Layer):
    """The hyperbolic tangent."""

    def emit(self, x: Shape) -> Call:
        return Call("torch.nn.Tanh")
