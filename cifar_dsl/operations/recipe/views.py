"""Test-time augmentation: the scores of a test image are weighted means over views of it."""

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Views
from cifar_dsl.operations.argument_types import Int
from cifar_dsl.operations.registry import Registry

TEST_AUGMENTATIONS: Registry[Views] = Registry("test augmentation")


@TEST_AUGMENTATIONS.register("mirror")
@declared
class Mirror(Views):
    """The mean of the scores for the image and for its mirror image."""


@TEST_AUGMENTATIONS.register("shift")
@declared
class Shift(Views):
    """Half the image's scores, half the mean of those for the image moved up and left and moved down and right.

    What comes in at the border is reflected. `mirror -> shift(1)` is the test-time augmentation of
    https://github.com/KellerJordan/cifar10-airbench.
    """

    pixels: int = argument(Int(1, 64), "how far in each of the two directions", default=1)
