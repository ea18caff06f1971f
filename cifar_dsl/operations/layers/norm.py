"""Normalisation layers; they don't change the shape."""

from typing import NoReturn

from cifar_dsl.foundation.records import evolve
from cifar_dsl.ir import Execution, Lowering, Parameter, SavedTensors, Shape, argument, declared
from cifar_dsl.ir.execution import FLOAT_BYTES, INPUT
from cifar_dsl.operations.argument_types import Bool, Float, Int
from cifar_dsl.operations.layers.base import FROZEN, FROZEN_DOC, LAYERS, Layer, require_image
from cifar_dsl.operations.layers.divisible import check_divisible
from cifar_dsl.operations.layers.initializer import constant
from cifar_dsl.operations.registry import MisfitError

_GROUP = "Normalization"

_EPS = Float(0, 1, open_low=True)
_AFFINE_DOC = "learn a scale and an offset"
_INIT_DOC = "initial value of the scale"


class _Norm(Layer):
    """A normalisation layer."""

    family = "norm"
    is_norm = True


class _AffineNorm(_Norm):
    """A normalisation layer with a scale `weight` and an offset `bias` for each channel."""

    affine: bool
    init: float
    frozen: str

    def check(self) -> None:
        if self.frozen != "none" and not self.affine:
            raise MisfitError("E0304", f"this {self.name} has no parameters to freeze", argument="frozen")

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        if not self.affine:
            return ()
        shape = (x.channels,)
        return (
            Parameter("weight", shape, constant(self.init), "scale", self.frozen in {"weight", "all"}),
            Parameter("bias", shape, constant(0.0), "bias", self.frozen in {"bias", "all"}),
        )


def _statistics(norm: _AffineNorm, count: int) -> SavedTensors:
    """The input and `count` statistics, which are float32 if there is a scale and an offset."""
    if norm.affine:
        return SavedTensors(inputs=True, fixed_bytes=FLOAT_BYTES * count)
    return SavedTensors(inputs=True, numbers=count)


def _refuse_single_values(layer: Layer, x: Shape, part: str, help_text: str) -> NoReturn:
    message = f"{layer.name} would output only zeros: on an input of {x}, each {part} has a single value"
    raise MisfitError("E0306", message, help=(help_text,))


@LAYERS.register("bn", _GROUP)
@declared
class BatchNorm(_AffineNorm):
    """Normalise each channel (or feature) over the batch, then scale and shift it; the shape is unchanged.

    Of images over their pixels, too, and of tokens over the tokens. Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html
    """

    execution = Execution(saves=INPUT, output_reusable=True)

    eps: float = argument(_EPS, "added to the variance", default=1e-5)
    momentum: float = argument(
        Float(0, 1),
        "weight of the latest batch in the running mean and variance, as in torch",
        default=0.1,
    )
    affine: bool = argument(Bool(), _AFFINE_DOC, default=True)
    init: float = argument(Float(), _INIT_DOC, default=1.0)
    frozen: str = argument(FROZEN, FROZEN_DOC, default="none")

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        shape = (x.channels,)
        return (
            *super().parameters(x),
            Parameter("running_mean", shape, constant(0.0), "buffer"),
            Parameter("running_var", shape, constant(1.0), "buffer"),
            Parameter("num_batches_tracked", (), constant(0.0), "buffer"),
        )

    def needs_batch(self, x: Shape) -> bool:
        return x.elements == x.channels  # a single value per channel has no variance

    def lower(self, x: Shape) -> Lowering:
        target = "token_batchnorm" if x.is_tokens else f"torch.nn.BatchNorm{2 if x.is_image else 1}d"
        return Lowering.to(
            target,
            num_features=x.channels,
            eps=self.eps,
            momentum=self.momentum,
            affine=self.affine,
        )


def _layer_norm_saves(layer_norm: "LayerNorm", x: Shape, y: Shape) -> SavedTensors:
    return _statistics(layer_norm, 2 * (y.elements // y.channels))


@LAYERS.register("layernorm", _GROUP)
@declared
class LayerNorm(_AffineNorm):
    """Normalise the channels of each pixel, the features of each token, or a whole vector; the shape is unchanged.

    Ba et al. 2016, https://arxiv.org/abs/1607.06450; on images as in ConvNeXt. To normalise all
    elements of an image together, use `groupnorm(1)`.
    """

    execution = Execution(saves=_layer_norm_saves, float32_on=frozenset({"cuda"}))

    eps: float = argument(_EPS, "added to the variance", default=1e-5)
    affine: bool = argument(Bool(), _AFFINE_DOC, default=True)
    init: float = argument(Float(), _INIT_DOC, default=1.0)
    frozen: str = argument(FROZEN, FROZEN_DOC, default="none")

    def lower(self, x: Shape) -> Lowering:
        if x.is_image:
            return Lowering.to("channel_layernorm", channels=x.channels, eps=self.eps, elementwise_affine=self.affine)
        return Lowering.to(
            "torch.nn.LayerNorm", normalized_shape=x.channels, eps=self.eps, elementwise_affine=self.affine
        )


def _group_norm_saves(group_norm: "GroupNorm", x: Shape, y: Shape) -> SavedTensors:
    return _statistics(group_norm, 2 * group_norm.groups)


@LAYERS.register("groupnorm", _GROUP)
@declared
class GroupNorm(_AffineNorm):
    """Normalise each group of channels over the image: (C, H, W) or (F,), unchanged; Wu and He 2018, https://arxiv.org/abs/1803.08494.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.GroupNorm.html
    """

    execution = Execution(saves=_group_norm_saves, float32_on=frozenset({"cuda"}))

    groups: int = argument(Int(1), "number of groups; must divide the channels")
    eps: float = argument(_EPS, "added to the variance", default=1e-5)
    affine: bool = argument(Bool(), _AFFINE_DOC, default=True)
    init: float = argument(Float(), _INIT_DOC, default=1.0)
    frozen: str = argument(FROZEN, FROZEN_DOC, default="none")

    def infer(self, x: Shape) -> Shape:
        if x.is_tokens:
            raise MisfitError(
                "E0306",
                f"{self.name} works on images and vectors of features, not on tokens",
                help=("use `layernorm`",),
            )
        check_divisible(x.channels, "channels", self.groups, "groups")
        if x.elements == self.groups:
            _refuse_single_values(self, x, "group", "use fewer groups")
        return x

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to(
            "torch.nn.GroupNorm", num_groups=self.groups, num_channels=x.channels, eps=self.eps, affine=self.affine
        )


def _instance_norm_saves(instance_norm: "InstanceNorm", x: Shape, y: Shape) -> SavedTensors:
    # Torch treats each channel of each image as a separate channel, with two statistics and a scale.
    saved = _statistics(instance_norm, (2 + instance_norm.affine) * x.channels)
    if x.channels == 1:
        return saved
    return evolve(saved, inputs=False, numbers=saved.numbers + x.elements)  # a contiguous copy of its input


@LAYERS.register("instancenorm", _GROUP)
@declared
class InstanceNorm(_AffineNorm):
    """Normalise each channel of each image: (C, H, W), unchanged; Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.InstanceNorm2d.html
    """

    execution = Execution(saves=_instance_norm_saves)

    eps: float = argument(_EPS, "added to the variance", default=1e-5)
    affine: bool = argument(Bool(), _AFFINE_DOC, default=False)
    init: float = argument(Float(), _INIT_DOC, default=1.0)
    frozen: str = argument(FROZEN, FROZEN_DOC, default="none")

    def infer(self, x: Shape) -> Shape:
        _, height, width = require_image(self, x)
        if height * width == 1:
            _refuse_single_values(self, x, "channel", "put it where the image is larger, or use `groupnorm`")
        return x

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.InstanceNorm2d", num_features=x.channels, eps=self.eps, affine=self.affine)


def _rms_norm_saves(rms_norm: "RmsNorm", x: Shape, y: Shape) -> SavedTensors:
    rows = y.elements // y.channels
    return SavedTensors(inputs=True, numbers=y.elements if rms_norm.affine else 0, fixed_bytes=FLOAT_BYTES * rows)


def _rms_norm_saves_for_weights(rms_norm: "RmsNorm", x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(numbers=y.elements)  # the normalized input, which the scale multiplies


@LAYERS.register("rmsnorm", _GROUP)
@declared
class RmsNorm(_Norm):
    """Divide the features of each token, or a vector, by their root mean square, then scale: (T, D) or (F,), unchanged.

    Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.RMSNorm.html
    """

    execution = Execution(
        saves=_rms_norm_saves,
        saves_for_weights=_rms_norm_saves_for_weights,
        float32_on=frozenset({"cpu", "cuda"}),
        output_dtype="input",
    )

    eps: float = argument(_EPS, "added to the mean square", default=1e-6)
    affine: bool = argument(Bool(), "learn a scale", default=True)

    def infer(self, x: Shape) -> Shape:
        if x.is_image:
            raise MisfitError("E0306", f"{self.name} works on tokens and vectors of features, not on images")
        return x

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return (Parameter("weight", (x.channels,), constant(1.0), "scale"),) if self.affine else ()

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to(
            "torch.nn.RMSNorm", normalized_shape=x.channels, eps=self.eps, elementwise_affine=self.affine
        )


def _local_response_norm_saves(local_response_norm: "LocalResponseNorm", x: Shape, y: Shape) -> SavedTensors:
    channels, height, width = x.extents
    padded = (channels + local_response_norm.size - 1) * height * width
    return SavedTensors(inputs=True, fixed_bytes=FLOAT_BYTES * (padded + 2 * y.elements))


@LAYERS.register("lrn", _GROUP)
@declared
class LocalResponseNorm(_Norm):
    """Divide by (k + alpha / size * sum of squares over `size` neighbouring channels)^beta: (C, H, W), unchanged.

    As in AlexNet.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.LocalResponseNorm.html
    """

    execution = Execution(saves=_local_response_norm_saves, output_dtype="float32")

    size: int = argument(Int(1, 1000), "number of channels in the sum")
    alpha: float = argument(Float(0), "factor on the sum", default=1e-4)
    beta: float = argument(Float(0), "exponent", default=0.75)
    k: float = argument(Float(0, open_low=True), "added to the sum", default=1.0)

    def infer(self, x: Shape) -> Shape:
        require_image(self, x)
        return x

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.LocalResponseNorm", size=self.size, alpha=self.alpha, beta=self.beta, k=self.k)


def _l2_norm_saves(l2_norm: "L2Norm", x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(inputs=True, numbers=2 * (y.elements // y.channels))  # the norms, before and after `eps`


@LAYERS.register("l2norm", _GROUP)
@declared
class L2Norm(_Norm):
    """Divide the channels of each pixel, the features of each token, or a vector by their Euclidean norm.

    The shape is unchanged. Before the last layer as in NormFace, Wang et al. 2017, https://arxiv.org/abs/1704.06369.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.normalize.html
    """

    execution = Execution(saves=_l2_norm_saves, float32_on=frozenset({"cuda"}))

    eps: float = argument(_EPS, "the least norm to divide by", default=1e-12)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("l2norm", dim=1 if x.is_image else -1, eps=self.eps)
