"""With which numbers a network computes."""

import torch

from cifar_dsl.ir import Recipe

_TYPES = {"bf16": torch.bfloat16}


def precision(recipe: Recipe, device: torch.device) -> torch.autocast:
    """The context in which a network computes with the numbers that the recipe names."""
    return torch.autocast(device.type, _TYPES.get(recipe.precision), enabled=recipe.precision in _TYPES)
