"""Stages that move or drop numbers without computing new ones."""

from cifar_dsl.ir import Call, Shape
from cifar_dsl.layers.base import LAYERS, Layer
from cifar_dsl.registry import Float, argument, declared


@LAYERS.register("flatten")
@declared
class Flatten(Layer):
    """All numbers of an image in one row, channel by channel: (C, H, W) -> (C * H * W,)."""

    def infer(self, x: Shape) -> Shape:
        return Shape((x.elements,))

    def emit(self, x: Shape) -> Call:
        return Call("torch.nn.Flatten")


@LAYERS.register("identity")
@declared
class Identity(Layer):
    """Its input, unchanged: the empty branch of a residual block."""

    def activations(self, y: Shape) -> int:
        return 0

    def emit(self, x: Shape) -> Call:
        return Call("torch.nn.Identity")


@LAYERS.register("dropout")
@declared
class Dropout(Layer):
    """Zeroes numbers at random while training, and scales up the rest.

    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html
    """

    p: float = argument(Float(0, 1, open_high=True), "the share of numbers that are zeroed", default=0.5)

    def emit(self, x: Shape) -> Call:
        return Call("torch.nn.Dropout", (("p", self.p),))
