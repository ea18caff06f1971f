"""The loss of a recipe, and sums over an epoch."""

import torch
from torch import Tensor

from cifar_dsl.ir import Recipe
from cifar_dsl.training.losses import LOSS_MODULES
from cifar_dsl.training.lowering.torch_module import make


class Objective:
    """What training makes small."""

    def __init__(self, recipe: Recipe) -> None:
        self._function = make(recipe.loss.lower(), LOSS_MODULES)
        self._is_sum = recipe.loss.reduction == "sum"

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The batch's loss, as the recipe reduces it."""
        return self._function(scores, targets)  # type: ignore[no-any-return]

    def total(self, loss: Tensor, count: int) -> Tensor:
        """The sum over a batch of `count` images whose loss this is."""
        return loss if self._is_sum else loss * count


def sum_of(device: torch.device) -> Tensor:
    """A sum that is still 0, with as many digits as the device has: (), float64 but on MPS."""
    return torch.zeros((), device=device, dtype=torch.float32 if device.type == "mps" else torch.float64)
