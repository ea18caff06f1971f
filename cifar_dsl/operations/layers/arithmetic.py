"""Powers, exponentials and logarithms of each element; the shape is unchanged."""

from cifar_dsl.ir import Execution, Lowering, Shape, argument, declared
from cifar_dsl.ir.execution import INPUT, OUTPUT
from cifar_dsl.operations.argument_types import Float
from cifar_dsl.operations.layers.base import LAYERS, Layer

_GROUP = "Scales and functions"

_FLOAT32 = frozenset({"cuda"})  # where autocasting computes these functions in float32


@LAYERS.register("power", _GROUP)
@declared
class Power(Layer):
    """x^p: `power(0.5)` is the square root, and `mul { a | b -> power(-1) }` is a / b.

    As in torch, the root of a negative number is NaN, and `power(-1)` of 0 is infinite.
    """

    execution = Execution(saves=INPUT, float32_on=_FLOAT32)

    p: float = argument(Float(), "the exponent")

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("power", exponent=self.p)


@LAYERS.register("exp", _GROUP)
@declared
class Exp(Layer):
    """e^x. Torch: https://docs.pytorch.org/docs/stable/generated/torch.exp.html."""

    execution = Execution(saves=OUTPUT, float32_on=_FLOAT32)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("exp")


@LAYERS.register("log", _GROUP)
@declared
class Log(Layer):
    """The natural logarithm; of 0 it is -infinity, of a negative number NaN.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.log.html
    """

    execution = Execution(saves=INPUT, float32_on=_FLOAT32)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("log")
