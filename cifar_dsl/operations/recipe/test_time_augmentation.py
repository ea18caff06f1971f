"""Test-time augmentation: the logits of a test image are weighted means over several views of it."""

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Views
from cifar_dsl.operations.argument_types import Int
from cifar_dsl.operations.registry import Registry

TEST_AUGMENTATIONS: Registry[Views] = Registry("test augmentation")


@TEST_AUGMENTATIONS.register("mirror")
@declared
class Mirror(Views):
    """Average the logits of the image and its horizontal flip."""


@TEST_AUGMENTATIONS.register("shift")
@declared
class Shift(Views):
    """Average the logits of the image (weight 1/2) and of two shifted copies (1/4 each): up and left, down and right.

    The border is filled by reflection. `mirror -> shift(1)` is the test-time augmentation of
    https://github.com/KellerJordan/cifar10-airbench.
    """

    pixels: int = argument(Int(1, 64), "shift in each direction, in pixels", default=1)
