"""Tensors that are learned, and the same for all images."""

from cifar_dsl.ir import Execution, Lowering, Parameter, Shape, argument, declared
from cifar_dsl.ir.execution import NOTHING
from cifar_dsl.operations.argument_types import Choice, Extents
from cifar_dsl.operations.layers.base import EMBEDDING_INIT, FROZEN_DOC, LAYERS, Layer
from cifar_dsl.operations.layers.initializer import Initializer, Normal

_GROUP = "Dense layers and learned tensors"


@LAYERS.register("learned", _GROUP)
@declared
class Learned(Layer):
    """A learned tensor, the same for all images; it starts a chain, and has the shape `size`.

    `mul { identity | learned(1, init=zeros) }` is ReZero, Bachlechner et al. 2020, https://arxiv.org/abs/2003.04887;
    `concat { learned((1, in_channels)) | identity }` puts a token before the others.
    """

    family = "dense"
    takes_only_batch = True
    execution = Execution(saves=NOTHING, expands=True, output_dtype="float32")

    size: tuple[int, ...] = argument(Extents(), "shape of the tensor")
    init: Initializer = argument(EMBEDDING_INIT, "initialiser of the tensor", default=Normal())
    frozen: str = argument(Choice(("none", "weight")), FROZEN_DOC, default="none")

    def infer(self, x: Shape) -> Shape:
        return Shape(self.size)

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return (Parameter("weight", self.size, self.init.fill(self.size), "embedding", self.frozen == "weight"),)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("learned", size=self.size)
