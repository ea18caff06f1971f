"""Dense (fully connected) layers."""

from cifar_dsl.foundation.records import evolve
from cifar_dsl.ir import ComputedWeight, Execution, Lowering, Parameter, SavedTensors, Shape, argument, declared
from cifar_dsl.operations.argument_types import Bool, Int
from cifar_dsl.operations.layers.base import BIAS_INIT, FILTER_INIT, FROZEN, FROZEN_DOC, LAYERS, Layer, weight_and_bias
from cifar_dsl.operations.layers.initializer import Initializer, Standard, Whitening
from cifar_dsl.operations.layers.weight import WEIGHT, WEIGHT_DOC, Unchanged, WeightFunction
from cifar_dsl.operations.registry import MisfitError

_GROUP = "Dense layers and learned tensors"


def _dense_saves(dense: "Dense", x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(inputs=dense.frozen not in {"weight", "all"})


@LAYERS.register("dense", _GROUP)
@declared
class Dense(Layer):
    """Fully connected layer: (F,) -> (features,), or on each token, (T, D) -> (T, features).

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """

    family = "dense"
    execution = Execution(saves=_dense_saves, merges_tokens=True, autocasts=True, output_reusable=True)

    features: int = argument(Int(1), "output features")
    bias: bool = argument(Bool(), "add a learned bias to each output", default=True)
    init: Initializer = argument(FILTER_INIT, "initialiser of the weight", default=Standard())
    bias_init: Initializer = argument(BIAS_INIT, "initialiser of the bias", default=Standard())
    frozen: str = argument(FROZEN, FROZEN_DOC, default="none")
    weight: WeightFunction = argument(WEIGHT, WEIGHT_DOC, default=Unchanged())

    def check(self) -> None:
        if isinstance(self.init, Whitening):
            raise MisfitError("E0304", "`init=whitening` works only for convolutions", argument="init")

    def infer(self, x: Shape) -> Shape:
        if x.is_image:
            raise MisfitError(
                "E0306",
                f"{self.name} works on a vector of features, not on an image",
                help=("put `flatten` or `global_avgpool` before it",),
            )
        return Shape((*x.extents[:-1], self.features))

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return weight_and_bias(
            self,
            (self.features, x.channels),
            (self.features,) if self.bias else None,
            kind="matrix",
            init=self.init,
            bias_init=self.bias_init,
            frozen=self.frozen,
            function=self.weight,
        )

    def computed_weight(self, x: Shape) -> ComputedWeight:
        computed = self.weight.computed(self.features * x.channels, copies=False, rearranges=False)
        return evolve(computed, is_factor=True)

    def macs(self, x: Shape, y: Shape) -> int:
        return x.channels * y.elements

    def lower(self, x: Shape) -> Lowering:
        return self.weight.lower_layer(
            "torch.nn.Linear",
            "linear_of_weight",
            in_features=x.channels,
            out_features=self.features,
            bias=self.bias,
        )
