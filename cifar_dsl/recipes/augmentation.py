"""Augmentations: random changes to a training image, drawn anew for each image and epoch.

The drawing is done on the device, batched, in cifar_dsl/training/augmentation.py.
"""

from cifar_dsl.registry import Choice, Declaration, Float, Int, Registry, argument, declared


class Augmentation(Declaration):
    """A random change to images; each image of a batch gets its own."""


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation")


@AUGMENTATIONS.register("crop")
@declared
class Crop(Augmentation):
    """Pad every side and cut out a window of the old size at a random place."""

    padding: int = argument(Int(1, 64), "pixels added on every side", default=4)
    mode: str = argument(Choice(("zeros", "reflect")), "what the border is filled with", default="zeros")


@AUGMENTATIONS.register("flip")
@declared
class Flip(Augmentation):
    """Mirror left and right."""

    p: float = argument(Float(0, 1), "how often", default=0.5)


@AUGMENTATIONS.register("cutout")
@declared
class Cutout(Augmentation):
    """Blacken a square at a random place, before the image is normalised; DeVries and Taylor 2017, https://arxiv.org/abs/1708.04552."""

    size: int = argument(Int(1, 512), "side of the square in pixels", default=8)
