"""Dense (fully connected) layers."""

from cifar_dsl.ir import Call, Parameter, Shape
from cifar_dsl.layers.base import LAYERS, Layer, uniform
from cifar_dsl.registry import Bool, Int, MisfitError, argument, declared


@LAYERS.register("dense")
@declared
class Dense(Layer):
    """Every output is a weighted sum of all inputs: (F,) -> (features,).

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """

    features: int = argument(Int(1), "how many outputs")
    bias: bool = argument(Bool(), "whether each output has an offset", default=True)

    def infer(self, x: Shape) -> Shape:
        if len(x.extents) != 1:
            raise MisfitError(
                "E0306",
                f"{self.name} works on a vector of features, not on an image",
                help=("put `flatten` or `global_avgpool` before it",),
            )
        return Shape((self.features,))

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        (in_features,) = x.extents
        bound = in_features**-0.5  # torch's default: kaiming_uniform(a=sqrt(5)) on the fan-in
        weight = Parameter("weight", (self.features, in_features), uniform(bound))
        return (weight, Parameter("bias", (self.features,), uniform(bound))) if self.bias else (weight,)

    def macs(self, x: Shape, y: Shape) -> int:
        return x.elements * y.elements

    def emit(self, x: Shape) -> Call:
        return Call(
            "torch.nn.Linear",
            (("in_features", x.elements), ("out_features", self.features), ("bias", self.bias)),
        )
