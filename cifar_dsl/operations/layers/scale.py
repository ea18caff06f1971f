"""Multiplication by a constant or learned factor."""

from cifar_dsl.ir import Execution, Lowering, Parameter, Shape, argument, declared
from cifar_dsl.ir.execution import INPUT, NOTHING
from cifar_dsl.operations.argument_types import Float
from cifar_dsl.operations.layers.base import LAYERS, Layer
from cifar_dsl.operations.layers.initializer import constant


@LAYERS.register("scale")
@declared
class Scale(Layer):
    """Multiply by a constant; the shape is unchanged.

    On logits, the factor is the inverse temperature of Guo et al. 2017, https://arxiv.org/abs/1706.04599.
    """

    execution = Execution(saves=NOTHING)

    factor: float = argument(Float(), "the factor")

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("scale", factor=self.factor)


@LAYERS.register("layer_scale")
@declared
class LayerScale(Layer):
    """Multiply each channel (or feature) by a learned factor, at the end of a residual branch; the shape is unchanged.

    Touvron et al. 2021, https://arxiv.org/abs/2103.17239.
    """

    execution = Execution(saves=INPUT, output_dtype="float32")

    init: float = argument(Float(), "initial value of the factors", default=1e-6)

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return (Parameter("weight", (x.channels,), constant(self.init), "scale"),)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("layer_scale", channels=x.channels)
