"""The loss of a recipe, and its sum over an epoch."""

import torch
from torch import Tensor

from cifar_dsl.ir import Recipe
from cifar_dsl.training.images import Images
from cifar_dsl.training.losses import LOSS_MODULES
from cifar_dsl.training.lowering.torch_module import make


class Objective:
    """The recipe's loss, which training minimizes, for images with their labels on a device."""

    def __init__(self, recipe: Recipe, images: Images) -> None:
        lowering = recipe.loss.lower(images.class_images)
        self._function = make(lowering, LOSS_MODULES).to(images.labels.device)
        self._is_sum = recipe.loss.reduction == "sum"

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The batch's loss, (), as the recipe reduces it, for (N, classes) scores and labels or shares as targets."""
        return self._function(scores, targets)  # type: ignore[no-any-return]

    def share(self, loss: Tensor, count: int, of: int) -> Tensor:
        """The part of a batch of `count` images in the loss of a step of `of` images, for the loss of the batch: ()."""
        return loss if self._is_sum or count == of else loss * (count / of)

    def total(self, loss: Tensor, count: int) -> Tensor:
        """The sum of the loss over a batch of `count` images: ()."""
        return loss if self._is_sum else loss * count


def new_sum(device: torch.device) -> Tensor:
    """A zero to accumulate losses in: () float64, or float32 on MPS, which has no float64."""
    return torch.zeros((), device=device, dtype=torch.float32 if device.type == "mps" else torch.float64)
