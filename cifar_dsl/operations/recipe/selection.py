"""Selection: which images of each batch training learns from; `training/selection.py` chooses them."""

import math

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import KeepAll, Keeping
from cifar_dsl.operations.argument_types import Float, Int
from cifar_dsl.operations.registry import Registry

KEEPINGS: Registry[Keeping] = Registry("selection")
KEEPINGS.register("all")(KeepAll)


def share_of(share: float, images: int) -> int:
    """How many of `images` are a share of them, rounded up."""
    return math.ceil(round(share * images, 6))  # 0.07 * 100 is slightly more than 7


@KEEPINGS.register("hardest")
@declared
class Hardest(Keeping):
    """Learn from the images with the largest losses in each batch: online hard example mining.

    The forward pass takes the whole batch, and the losses of all other images have no part in the gradient; Shrivastava
    et al. 2016, https://arxiv.org/abs/1604.03540. The run notes its choice, so that another training can learn from the
    same images: see `chosen`.
    """

    share: float = argument(Float(0, 1, open_low=True), "share of each batch that is kept, rounded up to whole images")
    every: int = argument(
        Int(1, 1000),
        "steps per change of the weights: the first changes them, the others only choose and update running statistics",
        default=1,
    )

    @property
    def chooses(self) -> bool:
        return True

    def kept_of(self, images: int) -> int:
        return share_of(self.share, images)


@KEEPINGS.register("chosen")
@declared
class Chosen(Keeping):
    """Learn from the images that another run chose with `keep hardest(...)`; `--selection` names it.

    The network sees these images alone, in the order and with the augmentation of that run. As airbench96_faster.py of
    https://github.com/KellerJordan/cifar10-airbench
    """

    takes_selection = True
