"""Dropout and its relatives: layers that zero or scale random elements in training."""

from cifar_dsl.ir import Execution, Lowering, SavedTensors, Shape, argument, declared
from cifar_dsl.ir.execution import FLOAT_BYTES
from cifar_dsl.operations.argument_types import Float, ListOf, Pair
from cifar_dsl.operations.layers.base import LAYERS, Layer, require_image
from cifar_dsl.operations.registry import MisfitError

_GROUP = "Regularization"

_SHARE = Float(0, 1, open_high=True)


class _Dropping(Layer):
    p: float

    @property
    def is_random(self) -> bool:
        return self.p > 0


class _Scheduled(_Dropping):
    @property
    def scheduled_drop(self) -> float:
        return self.p


def _drops_nothing(layer: _Dropping, x: Shape) -> bool:
    return not layer.p


def _mask(layer: _Dropping, x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(numbers=y.elements if layer.p else 0)


def _channel_mask(layer: _Dropping, x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(numbers=x.channels if layer.p else 0)


def _image_mask(layer: _Dropping, x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(numbers=1 if layer.p else 0)


@LAYERS.register("dropout", _GROUP)
@declared
class Dropout(_Dropping):
    """Zero random elements in training and scale the rest by 1 / (1 - p); the shape is unchanged.

    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html
    """

    execution = Execution(saves=_mask, views=_drops_nothing)

    p: float = argument(_SHARE, "fraction of elements that are zeroed", default=0.5)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Dropout", p=self.p)


@LAYERS.register("channel_dropout", _GROUP)
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


@LAYERS.register("alpha_dropout", _GROUP)
@declared
class AlphaDropout(_Dropping):
    """Dropout that keeps mean and variance, for use with `selu`; Klambauer et al. 2017, https://arxiv.org/abs/1706.02515.

    Torch: https://docs.pytorch.org/docs/stable/generated/torch.nn.AlphaDropout.html
    """

    execution = Execution(saves=_mask, views=_drops_nothing)

    p: float = argument(_SHARE, "fraction of elements that are dropped", default=0.5)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.AlphaDropout", p=self.p)


@LAYERS.register("drop_path", _GROUP)
@declared
class DropPath(_Scheduled):
    """Stochastic depth: zero all elements of random images in training and scale the other images by 1 / (1 - p).

    The last layer in the branch of a residual block, `add { ... -> drop_path(0.1) | identity }`;
    Huang et al. 2016, https://arxiv.org/abs/1603.09382.
    """

    execution = Execution(saves=_image_mask, views=_drops_nothing)

    p: float = argument(_SHARE, "fraction of images for which the branch is dropped")

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("drop_path", p=self.p)


@LAYERS.register("drop_block", _GROUP)
@declared
class DropBlock(_Scheduled):
    """Zero random blocks of each channel in training; Ghiasi et al. 2018, https://arxiv.org/abs/1810.12890.

    Each place where a block of `size` fits starts one with a probability of p / size^2 * (H * W) / ((H - size + 1) *
    (W - size + 1)), so that about a fraction `p` of the elements is dropped. The rest of the batch is scaled by 1 /
    (the fraction that is left), as in the authors' code.
    """

    execution = Execution(saves=_mask, views=_drops_nothing)

    size: tuple[int, int] = argument(Pair(1), "height and width of a block")
    p: float = argument(_SHARE, "fraction of elements that are dropped, about")

    def infer(self, x: Shape) -> Shape:
        _, *extents = require_image(self, x)
        if any(size > extent for size, extent in zip(self.size, extents, strict=True)):
            size, most = (f"{height}x{width}" for height, width in (self.size, map(min, self.size, extents)))
            raise MisfitError(
                "E0307",
                f"the blocks of {self.name}, {size}, are larger than its input, {extents[0]}x{extents[1]}",
                argument="size",
                help=(f"use blocks of at most {most}",),
            )
        return x

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("drop_block", size=self.size, p=self.p)


def _backward_factor(layer: "ShakeDrop", x: Shape, y: Shape) -> SavedTensors:
    return SavedTensors(fixed_bytes=FLOAT_BYTES if layer.p else 0)


_RANGE = ListOf(Float(-10, 10), length=2)


@LAYERS.register("shake_drop", _GROUP)
@declared
class ShakeDrop(_Scheduled):
    """ShakeDrop: scale random images by random factors, which differ in the backward pass; Yamada et al. 2018.

    https://arxiv.org/abs/1802.02375. In training, an image keeps its values with probability 1 - p. Otherwise they are
    multiplied by a number drawn from `alpha`, and their gradients by another one, drawn from `beta`. In tests, values
    are multiplied by the expected factor, 1 - p for an `alpha` with mean 0. The last layer in the branch of a residual
    block; `p` is 1 - p_l of the paper, and grows with depth: `shake_drop(0.5 * i / n)`.
    """

    execution = Execution(saves=_backward_factor, views=_drops_nothing, output_reusable=True)

    p: float = argument(Float(0, 1), "fraction of images that are scaled")
    alpha: tuple[float, float] = argument(_RANGE, "smallest and largest factor of values", default=(-1.0, 1.0))
    beta: tuple[float, float] = argument(_RANGE, "smallest and largest factor of gradients", default=(0.0, 1.0))

    def check(self) -> None:
        for name, (low, high) in (("alpha", self.alpha), ("beta", self.beta)):
            if low > high:
                raise MisfitError(
                    "E0304",
                    f"the smallest factor of `{name}` is larger than its largest",
                    argument=name,
                    help=(f"write `{name}=[{high:g}, {low:g}]`",),
                )

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("shake_drop", p=self.p, alpha=self.alpha, beta=self.beta)
