"""Augmentations that change the values of pixels: (N, H, W, C) float32, 0 to 255 -> the same shape and range."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from cifar_dsl.training import draws
from cifar_dsl.training.draws import Draws

_GREY = (0.2989, 0.587, 0.114)  # weights of red, green and blue, as in torchvision


def color_jitter(values: Tensor, drawn: Draws, *, brightness: float, contrast: float, saturation: float) -> Tensor:
    """Scale brightness, contrast and saturation, in this order, by random factors."""

    def factor(reach: float, purpose: str) -> Tensor:
        least = max(0.0, 1 - reach)
        return (least + (1 + reach - least) * drawn.uniform(purpose))[:, None, None, None]

    values = (values * factor(brightness, "brightness")).clamp(0, 255)
    values = _away_from(_grey(values).mean((1, 2), keepdim=True), values, factor(contrast, "contrast"))
    return _away_from(_grey(values), values, factor(saturation, "saturation"))


def grayscale(values: Tensor, drawn: Draws, *, p: float) -> Tensor:
    """Convert an image to grey with probability `p`."""
    is_grey = (drawn.uniform() < p)[:, None, None, None]
    return torch.where(is_grey, _grey(values), values)


def _grey(values: Tensor) -> Tensor:
    red, green, blue = values[..., 0:1], values[..., 1:2], values[..., 2:3]
    return _GREY[0] * red + _GREY[1] * green + _GREY[2] * blue


def _away_from(grey: Tensor, values: Tensor, factor: Tensor) -> Tensor:
    """Interpolate from `grey` (factor 0) to `values` (factor 1), or extrapolate."""
    return (factor * values + (1 - factor) * grey).clamp(0, 255)


def randaugment(values: Tensor, drawn: Draws, *, ops: int, magnitude: int) -> Tensor:
    """Apply torchvision's RandAugment."""
    return _one_by_one(_transform("randaugment", ops, magnitude), values, drawn)


def trivial_augment(values: Tensor, drawn: Draws) -> Tensor:
    """Apply torchvision's TrivialAugmentWide."""
    return _one_by_one(_transform("trivial_augment"), values, drawn)


def autoaugment(values: Tensor, drawn: Draws) -> Tensor:
    """Apply torchvision's AutoAugment with its policy for CIFAR-10."""
    return _one_by_one(_transform("autoaugment"), values, drawn)


@cache
def _transform(name: str, *arguments: int) -> Any:
    from torchvision.transforms import v2  # type: ignore[import-untyped]  # slow to import and rarely used

    match name, arguments:
        case "randaugment", (ops, magnitude):
            return v2.RandAugment(num_ops=ops, magnitude=magnitude)
        case "trivial_augment", ():
            return v2.TrivialAugmentWide()
        case _:
            return v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)


def _one_by_one(transform: Callable[[Tensor], Tensor], values: Tensor, drawn: Draws) -> Tensor:
    """Apply a transform to each image by itself, as (C, H, W) uint8.

    The transform draws from torch's default generator, which is seeded for each image and then restored.
    """
    images = values.round().to("cpu", torch.uint8).permute(0, 3, 1, 2)
    seeds = draws.hashed(drawn.key(), drawn.index).tolist()
    generator = torch.default_generator
    state = generator.get_state()
    changed: list[Tensor] = []
    try:
        for seed, image in zip(seeds, images, strict=True):
            generator.manual_seed(seed)
            changed.append(transform(image))
    finally:
        generator.set_state(state)
    return torch.stack(changed).permute(0, 2, 3, 1).to(values.device, torch.float32)


CHANGES: dict[str, Callable[..., Tensor]] = {
    "color_jitter": color_jitter,
    "grayscale": grayscale,
    "randaugment": randaugment,
    "trivial_augment": trivial_augment,
    "autoaugment": autoaugment,
}
