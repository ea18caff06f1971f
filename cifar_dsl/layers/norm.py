"""Normalisation."""

from cifar_dsl.ir import Call, Parameter, Shape
from cifar_dsl.layers.base import LAYERS, Layer, constant
from cifar_dsl.registry import Float, argument, declared


@LAYERS.register("bn")
@declared
class BatchNorm(Layer):
    """Batch normalisation of each channel (or feature), with a trained scale and offset.

    Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html
    """

    eps: float = argument(Float(0, 1, open_low=True), "added to the variance", default=1e-5)
    momentum: float = argument(
        Float(0, 1),
        "weight of the newest batch in the running mean and variance (torch's sense)",
        default=0.1,
    )

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        shape = (x.extents[0],)
        return (
            Parameter("weight", shape, constant(1.0)),
            Parameter("bias", shape, constant(0.0)),
            Parameter("running_mean", shape, constant(0.0), is_buffer=True),
            Parameter("running_var", shape, constant(1.0), is_buffer=True),
            Parameter("num_batches_tracked", (), constant(0.0), is_buffer=True),
        )

    def needs_batch(self, x: Shape) -> bool:
        return x.elements == x.extents[0]  # one number a channel has no variance

    def emit(self, x: Shape) -> Call:
        return Call(
            "torch.nn.BatchNorm2d" if len(x.extents) == 3 else "torch.nn.BatchNorm1d",
            (("num_features", x.extents[0]), ("eps", self.eps), ("momentum", self.momentum)),
        )
