"""Augmentations: random changes to a training image, drawn again for each image and epoch.

Every draw is a function of (seed, epoch, image), never of the batch. The implementations are in
cifar_dsl/training/augmentation; they run on the device. Images stay (C, H, W).
"""

from collections.abc import Sequence
from itertools import pairwise

from cifar_dsl.foundation import limits
from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Augmentation, Normalization
from cifar_dsl.operations.argument_types import Choice, Float, Int, ListOf, Pair
from cifar_dsl.operations.registry import MisfitError, Registry

_SHARE = Float(0, 1)
_PROBABILITY_DOC = "probability"
_PADDING_MODE = Choice(("zeros", "reflect"))
_ZEROS_DOC = "`zeros`: black, before normalisation"


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation")


def check_chain(augmentations: tuple[Augmentation, ...]) -> None:
    """Raise MisfitError if the augmentations can't follow each other in this order."""
    mixtures = [augmentation.name for augmentation in augmentations if augmentation.mixes]
    if len(mixtures) > (most := limits.current().mixtures):
        message = f"the chain mixes images {len(mixtures)} times; at most {most} are allowed"
        raise MisfitError("E0403", message, help=("remove some; each doubles the work",))
    mixing = ""
    for augmentation in augmentations:
        if isinstance(augmentation, Resize):
            if augmentation is not augmentations[-1]:
                raise MisfitError(
                    "E0403",
                    f"`{augmentation.name}` must come last: the other augmentations work on whole images",
                    help=(f"move `{augmentation.name}` to the end",),
                )
        elif augmentation.mixes:
            mixing = augmentation.name
        elif mixing:
            raise MisfitError(
                "E0403",
                f"`{augmentation.name}` must come before `{mixing}`, which mixes two images",
                help=(f"move `{mixing}` to the end",),
            )


def check_order(augmentation: Augmentation, normalization: Normalization) -> None:
    """Raise MisfitError if the images are normalised first, and the augmentation needs pixels."""
    if normalization.is_first and augmentation.needs_pixels:
        cause = f"`{augmentation.name}`"
        if "fill" in augmentation.arguments():
            cause = f"`fill=noise` of {cause}"
        raise MisfitError(
            "E0423",
            f"{cause} needs pixels from 0 to 255, but `{normalization.name}` comes before augmentation",
            help=(f"remove {cause}, or use another normalization, such as `normalize per_channel`",),
        )


def _check_reach(augmentation: Augmentation, argument: str, most: int, side: int) -> None:
    """Raise MisfitError if a distance in pixels exceeds `most`, on images whose smaller side has `side` pixels."""
    pixels: int = augmentation.arguments()[argument]
    if pixels > most:
        raise MisfitError(
            "E0403",
            f"`{argument}` of `{augmentation.name}` is {pixels}, but the smaller side of the images has {side} pixels",
            help=(f"use at most {most}",),
        )


# ---- geometry


@AUGMENTATIONS.register("crop")
@declared
class Crop(Augmentation):
    """Pad every side, then crop to the original size at a random position."""

    padding: int = argument(Int(1, 64), "padding on every side, in pixels", default=4)
    mode: str = argument(_PADDING_MODE, f"content of the padding; {_ZEROS_DOC}", default="zeros")

    def check_size(self, height: int, width: int) -> None:
        side = min(height, width)
        _check_reach(self, "padding", max(1, side - 1), side)  # a larger one leaves nothing of some images


@AUGMENTATIONS.register("translate")
@declared
class Translate(Augmentation):
    """Shift by a random whole number of pixels in each direction; equivalent to `crop(pixels)`.

    As in https://github.com/KellerJordan/cifar10-airbench.
    """

    pixels: int = argument(Int(1, 64), "maximum shift in each direction, in pixels", default=4)
    mode: str = argument(_PADDING_MODE, f"content of the border; {_ZEROS_DOC}", default="zeros")

    def check_size(self, height: int, width: int) -> None:
        side = min(height, width)
        _check_reach(self, "pixels", max(1, side - 1), side)


@AUGMENTATIONS.register("flip")
@declared
class Flip(Augmentation):
    """Flip horizontally."""

    p: float = argument(_SHARE, _PROBABILITY_DOC, default=0.5)


@AUGMENTATIONS.register("alternating_flip")
@declared
class AlternatingFlip(Augmentation):
    """Flip horizontally in every other epoch: one half of the images in even epochs, the other half in odd epochs.

    The halves are drawn once from the seed, so that any two successive epochs show every image both ways; Jordan 2024,
    https://arxiv.org/abs/2404.00498.
    """


@AUGMENTATIONS.register("rotate")
@declared
class Rotate(Augmentation):
    """Rotate around the centre by a random angle; pixels from outside the image are black, before normalisation.

    Torch: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.RandomRotation.html
    """

    degrees: float = argument(Float(0, 180), "maximum angle in either direction, in degrees", default=15.0)
    interpolation: str = argument(
        Choice(("nearest", "bilinear")), "how a pixel between four pixels is computed", default="nearest"
    )


# ---- occlusion


@AUGMENTATIONS.register("cutout")
@declared
class Cutout(Augmentation):
    """Fill a square at a random position, before normalisation; DeVries and Taylor 2017, https://arxiv.org/abs/1708.04552."""

    size: int = argument(Int(1, 512), "side of the square in pixels", default=8)
    fill: str = argument(
        Choice(("black", "mean")),
        "fill of the square; `mean`: the mean of each channel over the training images",
        default="black",
    )

    def check_size(self, height: int, width: int) -> None:
        side = min(height, width)
        _check_reach(self, "size", side, side)


@AUGMENTATIONS.register("random_erasing")
@declared
class RandomErasing(Augmentation):
    """Fill a rectangle of random size at a random position; Zhong et al. 2017, https://arxiv.org/abs/1708.04896.

    A rectangle larger than the image is drawn again; after ten attempts, the image stays unchanged. The ratio is
    uniform, so that 77 % of the rectangles are taller than wide by default. Torchvision and timm draw the logarithm of
    the ratio uniformly, which makes it 50 %.
    """

    p: float = argument(_SHARE, _PROBABILITY_DOC, default=0.5)
    area: tuple[float, float] = argument(
        ListOf(Float(0, 1, open_low=True), length=2),
        "minimum and maximum area, as a fraction of the image",
        default=(0.02, 0.33),
    )
    ratio: tuple[float, float] = argument(
        ListOf(Float(0, open_low=True), length=2), "minimum and maximum ratio of height to width", default=(0.3, 3.3)
    )
    fill: str = argument(
        Choice(("black", "mean", "noise")),
        "fill of the rectangle; `mean`: the mean of each channel over the training images, `noise`: random bytes",
        default="black",
    )

    @property
    def needs_pixels(self) -> bool:
        return self.fill == "noise"

    def check(self) -> None:
        for name, (minimum, maximum) in (("area", self.area), ("ratio", self.ratio)):
            if minimum > maximum:
                raise MisfitError(
                    "E0304",
                    f"the minimum of `{name}` is larger than its maximum",
                    argument=name,
                    help=(f"write `{name}=[{maximum:g}, {minimum:g}]`",),
                )


# ---- colours


class _Coloured(Augmentation):
    """An augmentation of RGB images."""

    @property
    def needs_pixels(self) -> bool:
        return True

    def check_channels(self, channels: int) -> None:
        if channels != 3:
            raise MisfitError(
                "E0403",
                f"`{self.name}` requires 3 channels (red, green, blue), but the images have {channels}",
                help=(f"remove `{self.name}`",),
            )


_JITTER = Float(0)


@AUGMENTATIONS.register("color_jitter")
@declared
class ColorJitter(_Coloured):
    """Scale brightness, contrast and saturation by random factors from 1 - x to 1 + x, then shift the hue.

    As in torchvision, but in this fixed order;
    https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.ColorJitter.html
    """

    brightness: float = argument(_JITTER, "x for brightness: the factor on all pixels", default=0.4)
    contrast: float = argument(
        _JITTER, "x for contrast: the factor on the difference from the image's mean grey", default=0.4
    )
    saturation: float = argument(
        _JITTER, "x for saturation: the factor on the difference from each pixel's grey", default=0.4
    )
    hue: float = argument(
        Float(0, 0.5), "maximum shift of the hue in either direction, as a fraction of the colour circle", default=0.0
    )


@AUGMENTATIONS.register("grayscale")
@declared
class Grayscale(_Coloured):
    """Convert to greyscale: all channels become 0.2989 red + 0.587 green + 0.114 blue."""

    p: float = argument(_SHARE, _PROBABILITY_DOC, default=0.1)


# ---- torchvision's policies

_MOVES = 5  # operations that move pixels, each in two directions; 0 moves nothing


@AUGMENTATIONS.register("randaugment")
@declared
class RandAugment(_Coloured):
    """Apply `ops` operations, each drawn from fourteen; Cubuk et al. 2019, https://arxiv.org/abs/1909.13719.

    Operations and magnitudes are torchvision's. `magnitude` is of 30: 9 rotates by 9 degrees. The magnitudes of timm
    are of 10: its `m9` rotates by 27 degrees, as `magnitude=27` does.
    Torch: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.RandAugment.html
    """

    ops: int = argument(Int(1, 100), "operations per image", default=2)
    magnitude: int = argument(Int(0, 30), "strength of each operation", default=9)

    @property
    def source_maps(self) -> int:
        return 1 + 2 * _MOVES


@AUGMENTATIONS.register("trivial_augment")
@declared
class TrivialAugment(_Coloured):
    """Apply one random operation of random strength; Mueller and Hutter 2021, https://arxiv.org/abs/2103.10158.

    Operations and magnitudes are those of torchvision, with the wide search space.
    Torch: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.TrivialAugmentWide.html
    """

    @property
    def source_maps(self) -> int:
        return 1 + 2 * _MOVES * 30


@AUGMENTATIONS.register("autoaugment")
@declared
class AutoAugment(_Coloured):
    """Apply one of 25 pairs of operations, the policy learned on CIFAR-10; Cubuk et al. 2018, https://arxiv.org/abs/1805.09501.

    Operations, magnitudes and probabilities are torchvision's.
    Torch: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.AutoAugment.html
    """

    @property
    def source_maps(self) -> int:
        return 1 + 2 * 7  # pairs of the policy name seven moves


# ---- mixing two images


class _Mixing(Augmentation):
    """An augmentation that mixes two images.

    The second image is drawn from all training images. The preceding augmentations of the chain apply to both.
    """

    mixes = True


_ALPHA = Float(0, 100, open_low=True)


@AUGMENTATIONS.register("mixup")
@declared
class Mixup(_Mixing):
    """Blend the image with another training image; Zhang et al. 2017, https://arxiv.org/abs/1710.09412.

    The target is blended in the same proportion. Training accuracy counts the image's own label. Each image draws its
    partner from all training images, and its own proportion; torchvision and, by default, timm mix the images of a
    batch in one proportion.
    """

    alpha: float = argument(_ALPHA, "the weight of the image is drawn from Beta(alpha, alpha)", default=0.2)
    p: float = argument(_SHARE, _PROBABILITY_DOC, default=1.0)


@AUGMENTATIONS.register("cutmix")
@declared
class CutMix(_Mixing):
    """Replace a rectangle with the same area of another training image; Yun et al. 2019, https://arxiv.org/abs/1905.04899.

    The target is blended by area. Training accuracy counts the image's own label. Each image draws its partner from all
    training images, and its own rectangle; torchvision and, by default, timm mix the images of a batch with one
    rectangle.
    """

    alpha: float = argument(
        _ALPHA, "the fraction of the image that is kept is drawn from Beta(alpha, alpha)", default=1.0
    )
    p: float = argument(_SHARE, _PROBABILITY_DOC, default=1.0)


# ---- the size of images


@AUGMENTATIONS.register("resize")
@declared
class Resize(Augmentation):
    """Progressive resizing: train on smaller images first. The last augmentation; tests see images of full size.

    `resize([0, 10, 20], [16, 24, 32])` trains on images of 16x16 for ten epochs, then on 24x24 for ten, then on 32x32.
    Bilinear, with antialiasing, as torchvision. The network must take each size with the same weights; `show` prints
    the multiply-accumulates of each. Howard's "progressive resizing":
    https://www.fast.ai/posts/2018-08-10-fastai-diu-imagenet.html.
    Torch: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.Resize.html
    """

    at: tuple[int, ...] = argument(
        ListOf(Int(0), most=lambda limits: limits.sizes), "after how many epochs each size begins; the first is 0"
    )
    sizes: tuple[tuple[int, int], ...] = argument(
        ListOf(Pair(1), most=lambda limits: limits.sizes), "the sizes, such as 24 or 24x32"
    )

    def check(self) -> None:
        if len(self.at) != len(self.sizes):
            raise MisfitError(
                "E0304",
                f"`at` has {len(self.at)} epochs, but `sizes` has {len(self.sizes)}",
                argument="sizes",
                help=("write one size for each epoch in `at`",),
            )
        if not self.at or self.at[0] != 0:
            raise MisfitError("E0304", "the first of `at` must be 0", argument="at")
        if any(later <= earlier for earlier, later in pairwise(self.at)):
            raise MisfitError("E0304", "the epochs of `at` must increase", argument="at")

    def check_size(self, height: int, width: int) -> None:
        for rows, columns in self.sizes:
            if rows > height or columns > width:
                raise MisfitError(
                    "E0403",
                    f"`{self.name}` enlarges images of {height}x{width} to {rows}x{columns}",
                    help=("use sizes up to those of the images; `upsample` in the model enlarges them",),
                )

    def size_in(self, epoch: int) -> tuple[int, int]:
        """Height and width of the images in an epoch, counted from 1."""
        return next(size for after, size in reversed([*zip(self.at, self.sizes, strict=True)]) if after < epoch)


def resizing(augmentations: Sequence[Augmentation]) -> Resize | None:
    """The `resize` of a chain; None if images keep their size."""
    return next((one for one in augmentations if isinstance(one, Resize)), None)
