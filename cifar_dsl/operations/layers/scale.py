"""Constant and learned factors and offsets."""

from cifar_dsl.ir import Execution, Lowering, Parameter, SavedTensors, Shape, argument, declared
from cifar_dsl.ir.execution import INPUT, NOTHING
from cifar_dsl.operations.argument_types import Float
from cifar_dsl.operations.layers.base import FROZEN, FROZEN_DOC, LAYERS, Layer
from cifar_dsl.operations.layers.initializer import constant

_GROUP = "Scales and functions"


@LAYERS.register("scale", _GROUP)
@declared
class Scale(Layer):
    """factor * x + offset, with two constants; the shape is unchanged.

    On logits, the factor is the inverse temperature of Guo et al. 2017, https://arxiv.org/abs/1706.04599.
    """

    execution = Execution(saves=NOTHING)

    factor: float = argument(Float(), "the factor")
    offset: float = argument(Float(), "added after the multiplication", default=0.0)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("scale", factor=self.factor, offset=self.offset)


@LAYERS.register("layer_scale", _GROUP)
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


def _affine_saves(affine: "Affine", x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(inputs=affine.frozen not in {"weight", "all"})


@LAYERS.register("affine", _GROUP)
@declared
class Affine(Layer):
    """Scale and shift each channel (or feature) by learned numbers; the shape is unchanged.

    As in ResMLP, Touvron et al. 2021, https://arxiv.org/abs/2105.03404. It is `bn` without the normalisation.
    """

    execution = Execution(saves=_affine_saves, output_dtype="float32", output_reusable=True)

    init: float = argument(Float(), "initial value of the scale; offsets start at 0", default=1.0)
    frozen: str = argument(FROZEN, FROZEN_DOC, default="none")

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        shape = (x.channels,)
        return (
            Parameter("weight", shape, constant(self.init), "scale", self.frozen in {"weight", "all"}),
            Parameter("bias", shape, constant(0.0), "bias", self.frozen in {"bias", "all"}),
        )

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("affine", channels=x.channels)
