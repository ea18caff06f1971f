"""Augmentations: random changes to a training image, drawn anew for each image and epoch.

What is drawn is a function of (seed, epoch, image), never of the batch. cifar_dsl/training/augmentation does it, on
the device unless an augmentation says otherwise.
"""

from cifar_dsl.foundation import limits
from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Augmentation
from cifar_dsl.operations.argument_types import Choice, Float, Int, ListOf
from cifar_dsl.operations.registry import MisfitError, Registry

_SHARE = Float(0, 1)
_HOW_OFTEN = "how often"
_PADDING_MODE = Choice(("zeros", "reflect"))


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation")


def check_chain(augmentations: tuple[Augmentation, ...]) -> None:
    """Can these follow each other? Raises MisfitError."""
    mixtures = [augmentation.name for augmentation in augmentations if augmentation.mixes]
    if len(mixtures) > (most := limits.current().mixtures):
        message = f"images are mixed at most {most} times, and here {len(mixtures)} times"
        raise MisfitError("E0403", message, help=("leave some out: each doubles the work",))
    mixing = ""
    for augmentation in augmentations:
        if augmentation.mixes:
            mixing = augmentation.name
        elif mixing:
            raise MisfitError(
                "E0403",
                f"`{augmentation.name}` changes one image, and after `{mixing}` there are two in each",
                help=(f"put `{mixing}` last",),
            )


# ---- places


@AUGMENTATIONS.register("crop")
@declared
class Crop(Augmentation):
    """Pad every side and cut out a window of the old size at a random place."""

    padding: int = argument(Int(1, 64), "pixels added on every side", default=4)
    mode: str = argument(_PADDING_MODE, "what the border is filled with", default="zeros")


@AUGMENTATIONS.register("translate")
@declared
class Translate(Augmentation):
    """Move by a whole number of pixels, down or up and right or left: what `crop` does, said by how far.

    Under this name in https://github.com/KellerJordan/cifar10-airbench.
    """

    pixels: int = argument(Int(1, 64), "the farthest in each direction", default=4)
    mode: str = argument(_PADDING_MODE, "what comes in at the border", default="zeros")


@AUGMENTATIONS.register("flip")
@declared
class Flip(Augmentation):
    """Mirror left and right."""

    p: float = argument(_SHARE, _HOW_OFTEN, default=0.5)


@AUGMENTATIONS.register("alternating_flip")
@declared
class AlternatingFlip(Augmentation):
    """Mirror left and right in every other epoch: half of the images in the first, the other half in the second.

    Which half is drawn once from the seed, so that two epochs together show every image both ways; Jordan 2024,
    https://arxiv.org/abs/2404.00498.
    """


# ---- parts of an image replaced


@AUGMENTATIONS.register("cutout")
@declared
class Cutout(Augmentation):
    """Replace a square at a random place, before the image is normalised; DeVries and Taylor 2017, https://arxiv.org/abs/1708.04552."""

    size: int = argument(Int(1, 512), "side of the square in pixels", default=8)
    fill: str = argument(
        Choice(("black", "mean")),
        "what the square is filled with; `mean`: the training images' mean of each channel",
        default="black",
    )


@AUGMENTATIONS.register("random_erasing")
@declared
class RandomErasing(Augmentation):
    """Replace a rectangle of random size at a random place; Zhong et al. 2017, https://arxiv.org/abs/1708.04896.

    A rectangle that is larger than the image is drawn again; where ten were, the image stays whole.
    """

    p: float = argument(_SHARE, _HOW_OFTEN, default=0.5)
    area: tuple[float, float] = argument(
        ListOf(Float(0, 1, open_low=True), length=2), "least and largest share of the image", default=(0.02, 0.33)
    )
    ratio: tuple[float, float] = argument(
        ListOf(Float(0, open_low=True), length=2), "least and largest height over width", default=(0.3, 3.3)
    )
    fill: str = argument(
        Choice(("black", "mean", "noise")),
        "what it is filled with; `mean`: the training images' mean of each channel, `noise`: random bytes",
        default="black",
    )

    def check(self) -> None:
        for name, (least, largest) in (("area", self.area), ("ratio", self.ratio)):
            if least > largest:
                raise MisfitError(
                    "E0304",
                    f"`{name}` goes from the least to the largest",
                    argument=name,
                    help=(f"write `{name}=[{largest:g}, {least:g}]`",),
                )


# ---- colours


class _Coloured(Augmentation):
    """What works on colours, so on images with a red, a green and a blue channel."""

    def check_channels(self, channels: int) -> None:
        if channels != 3:
            raise MisfitError(
                "E0403",
                f"`{self.name}` works on 3 channels (red, green, blue), and the images have {channels}",
                help=(f"leave `{self.name}` out",),
            )


_JITTER = Float(0)


@AUGMENTATIONS.register("color_jitter")
@declared
class ColorJitter(_Coloured):
    """Change brightness, then contrast, then saturation, each by a factor drawn evenly from 1 - x to 1 + x.

    The changes are torchvision's, in a fixed order;
    https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.ColorJitter.html
    """

    brightness: float = argument(_JITTER, "x of the factor of all pixels", default=0.4)
    contrast: float = argument(_JITTER, "x of the distance from the image's mean grey", default=0.4)
    saturation: float = argument(_JITTER, "x of the distance from each pixel's grey", default=0.4)


@AUGMENTATIONS.register("grayscale")
@declared
class Grayscale(_Coloured):
    """Take the colours away: all channels become 0.2989 red + 0.587 green + 0.114 blue."""

    p: float = argument(_SHARE, _HOW_OFTEN, default=0.1)


# ---- policies of others, image by image


@AUGMENTATIONS.register("randaugment")
@declared
class RandAugment(_Coloured):
    """Some operations in a row, each drawn evenly from fourteen; Cubuk et al. 2019, https://arxiv.org/abs/1909.13719.

    Torchvision's own, one image after another on the CPU, which is slow.
    Torch: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.RandAugment.html
    """

    on_host = True
    ops: int = argument(Int(1, 100), "operations on each image", default=2)
    magnitude: int = argument(Int(0, 30), "strength of all operations", default=9)


@AUGMENTATIONS.register("trivial_augment")
@declared
class TrivialAugment(_Coloured):
    """One operation of random strength; Mueller and Hutter 2021, https://arxiv.org/abs/2103.10158 (the wide space).

    Torchvision's own, one image after another on the CPU, which is slow.
    Torch: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.TrivialAugmentWide.html
    """

    on_host = True


@AUGMENTATIONS.register("autoaugment")
@declared
class AutoAugment(_Coloured):
    """One of 25 pairs of operations that were found on CIFAR-10; Cubuk et al. 2018, https://arxiv.org/abs/1805.09501.

    Torchvision's own, one image after another on the CPU, which is slow.
    Torch: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.AutoAugment.html
    """

    on_host = True


# ---- two images in one


class _Mixing(Augmentation):
    """What makes one picture of two.

    The other is drawn from all training images, and what stands before in the chain changes both.
    """

    mixes = True


_ALPHA = Float(0, 100, open_low=True)


@AUGMENTATIONS.register("mixup")
@declared
class Mixup(_Mixing):
    """Lay another training image over this one; Zhang et al. 2017, https://arxiv.org/abs/1710.09412.

    The target is shared in the same proportion. The accuracy of training is counted against the image's own label.
    """

    alpha: float = argument(_ALPHA, "the image's own share is drawn from Beta(alpha, alpha)", default=0.2)
    p: float = argument(_SHARE, _HOW_OFTEN, default=1.0)


@AUGMENTATIONS.register("cutmix")
@declared
class CutMix(_Mixing):
    """Replace a rectangle by the same place of another training image; Yun et al. 2019, https://arxiv.org/abs/1905.04899.

    The target is shared by area. The accuracy of training is counted against the image's own label.
    """

    alpha: float = argument(_ALPHA, "the area that is kept is drawn from Beta(alpha, alpha)", default=1.0)
    p: float = argument(_SHARE, _HOW_OFTEN, default=1.0)
