"""Normalisation of images: (x - mean) / std for each channel, with pixels x from 0 to 1; contrast; whitening."""

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.text import in_short
from cifar_dsl.ir import Contrast, Shape, argument, declared
from cifar_dsl.ir.recipe import Normalization, Standardization
from cifar_dsl.operations.argument_types import Choice, Float, ListOf, OneOf
from cifar_dsl.operations.registry import MisfitError, Registry

NORMALIZATIONS: Registry[Normalization] = Registry("normalization")


@NORMALIZATIONS.register("unit")
@declared
class Unit(Normalization):
    """Scale pixels to [0, 1]."""

    def standardization(self, channels: int) -> Standardization:
        return Standardization((0.0,) * channels, (1.0,) * channels)


@NORMALIZATIONS.register("signed")
@declared
class Signed(Normalization):
    """Scale pixels to [-1, 1]."""

    def standardization(self, channels: int) -> Standardization:
        return Standardization((0.5,) * channels, (0.5,) * channels)


@NORMALIZATIONS.register("per_channel")
@declared
class PerChannel(Normalization):
    """Normalise each channel to mean 0 and standard deviation 1, measured on the training images."""

    def standardization(self, channels: int) -> None:
        return None


@NORMALIZATIONS.register("standardize")
@declared
class Standardize(Normalization):
    """(x / 255 - mean) / std, with `mean` and `std` for each channel."""

    mean: tuple[float, ...] = argument(ListOf(Float()), "mean of each channel, for pixels in [0, 1]")
    std: tuple[float, ...] = argument(ListOf(Float(0, open_low=True)), "standard deviation of each channel")

    def check_channels(self, channels: int) -> None:
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) != channels:
                count = f"{len(numbers)} number{'s' if len(numbers) > 1 else ''}"
                raise MisfitError(
                    "E0403",
                    f"`{name}` of `{self.name}` has {count} for {channels} channels",
                    argument=name,
                    help=(f"write {channels} numbers",),
                )

    def standardization(self, channels: int) -> Standardization:
        return Standardization(self.mean, self.std)


_SCALE_DOC = "the length of an image after `gcn`, as a vector"
_BIAS_DOC = "added to the squared length in `gcn`, before the root"


@NORMALIZATIONS.register("gcn")
@declared
class Gcn(Normalization):
    """Global contrast normalisation: subtract the mean of each image and scale it to one length; before augmentation.

    scale * (x - mean) / sqrt(sqrt_bias + |x - mean|^2), for an image x of all channels, with pixels from 0 to 255. By
    default, this is pylearn2's CIFAR10(gcn=55):
    https://github.com/lisa-lab/pylearn2/blob/master/pylearn2/expr/preprocessing.py. An image of one colour becomes 0.
    """

    is_first = True
    scale: float = argument(Float(0, open_low=True), _SCALE_DOC, default=55.0)
    sqrt_bias: float = argument(Float(0), _BIAS_DOC, default=0.0)

    @property
    def contrast(self) -> Contrast:
        return Contrast(self.scale, self.sqrt_bias)


@NORMALIZATIONS.register("zca")
@declared
class Zca(Normalization):
    """ZCA whitening, after global contrast normalisation; before augmentation.

    The image, seen as a vector x, becomes (x - mean) W, where W = V (D + eps)^(-1/2) V', with the eigenvectors V and
    eigenvalues D of the covariance of the training images. By default, this is the preprocessing of maxout networks,
    network in network and All-CNN: pylearn2's ZCA after `gcn`, Goodfellow et al. 2013, https://arxiv.org/abs/1302.4389,
    https://github.com/lisa-lab/pylearn2/blob/master/pylearn2/scripts/datasets/make_cifar10_gcn_whitened.py.
    `scale=none` leaves the contrast as it is and whitens pixels from 0 to 1, for which 1e-4 is a usual `eps`. Mean and
    W are fitted on the images that train, and kept in the run, as `whitening.safetensors`.
    """

    is_first = True
    is_whitening = True
    eps: float = argument(Float(0, open_low=True), "added to each eigenvalue", default=0.1)
    scale: str | float = argument(
        OneOf((Choice(("none",)), Float(0, open_low=True))), f"{_SCALE_DOC}; `none`: no `gcn`", default=55.0
    )
    sqrt_bias: float = argument(Float(0), _BIAS_DOC, default=0.0)

    def check(self) -> None:
        if self.contrast is None and self.sqrt_bias:
            raise MisfitError(
                "E0304",
                "`sqrt_bias` has no effect with `scale=none`",
                argument="sqrt_bias",
                help=("remove it, or set a `scale`",),
            )

    @property
    def contrast(self) -> Contrast | None:
        return None if isinstance(self.scale, str) else Contrast(self.scale, self.sqrt_bias)

    def check_image(self, image: Shape) -> None:
        if image.elements > (most := limits.current().whitened):
            raise MisfitError(
                "E0423",
                f"`{self.name}` multiplies an image of {image} by a matrix of {image.elements:,} x {image.elements:,} "
                f"numbers ({in_short(4 * image.elements**2, 'B')}); images of at most {most:,} numbers are allowed",
                help=(
                    "use `normalize gcn`, which has no matrix, or smaller images",
                    f"`--limit WHITENED={image.elements}` allows it, if the memory suffices",
                ),
            )
