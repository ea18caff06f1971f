"""Dropout: layers that zero random elements in training, and do nothing in evaluation."""

from cifar_dsl.ir import Execution, Lowering, SavedTensors, Shape, argument, declared
from cifar_dsl.operations.argument_types import Float
from cifar_dsl.operations.layers.base import LAYERS, Layer, require_image

_SHARE = Float(0, 1, open_high=True)


class _Dropping(Layer):
    p: float

    @property
    def is_random(self) -> bool:
        return self.p > 0


def _drops_nothing(layer: _Dropping, x: Shape) -> bool:
    return not layer.p


def _mask(layer: _Dropping, x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(numbers=y.elements if layer.p else 0)


def _channel_mask(layer: _Dropping, x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(numbers=x.channels if layer.p else 0)


def _image_mask(layer: _Dropping, x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(numbers=1 if layer.p else 0)


@LAYERS.register("dropout")
@declared
class Dropout(_Dropping):
    """Zero random elements in training and scale the rest by 1 / (1 - p); the shape is unchanged.

    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html
    """

    execution = Execution(saves=_mask, views=_drops_nothing)

    p: float = argument(_SHARE, "fraction of elements that are zeroed", default=0.5)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Dropout", p=self.p)


@LAYERS.register("channel_dropout")
@declared
class ChannelDropout(_Dropping):
    """Zero random channels of an image in training and scale the rest by 1 / (1 - p): (C, H, W) -> (C, H, W).

    Tompson et al. 2014, https://arxiv.org/abs/1411.4280.
    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout2d.html
    """

    execution = Execution(saves=_channel_mask, views=_drops_nothing)

    p: float = argument(_SHARE, "fraction of channels that are zeroed", default=0.5)

    def infer(self, x: Shape) -> Shape:
        require_image(self, x)
        return x

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Dropout2d", p=self.p)


@LAYERS.register("alpha_dropout")
@declared
class AlphaDropout(_Dropping):
    """Dropout that keeps mean and variance, for use with `selu`; Klambauer et al. 2017, https://arxiv.org/abs/1706.02515.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.AlphaDropout.html
    """

    execution = Execution(saves=_mask, views=_drops_nothing)

    p: float = argument(_SHARE, "fraction of elements that are dropped", default=0.5)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.AlphaDropout", p=self.p)


@LAYERS.register("drop_path")
@declared
class DropPath(_Dropping):
    """Stochastic depth: zero all elements of random images in training and scale the other images by 1 / (1 - p).

    The last layer in the branch of a residual block, `add { ... -> drop_path(0.1) | identity }`;
    Huang et al. 2016, https://arxiv.org/abs/1603.09382.
    """

    execution = Execution(saves=_image_mask, views=_drops_nothing)

    p: float = argument(_SHARE, "fraction of images for which the branch is dropped")

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("drop_path", p=self.p)
