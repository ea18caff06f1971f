"""Augmentations that change the values of pixels: (N, H, W, C) float32, 0 to 255 -> the same shape and range."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from cifar_dsl.training.draws import Draws

_OF_CIRCLE = 6  # numbers per turn of the colour circle: red is at 0, green at 2, blue at 4
_GREY = (0.2989, 0.587, 0.114)  # weights of red, green and blue, as in torchvision


def rotate(values: Tensor, drawn: Draws, *, degrees: float, interpolation: str) -> Tensor:
    """Rotate around the centre by up to `degrees` in either direction. Pixels from outside the image are black."""
    _, height, width, _ = values.shape
    angle = ((2 * drawn.uniform() - 1) * math.radians(degrees))[:, None, None]  # counter-clockwise
    x = torch.arange(width, device=values.device) - (width - 1) / 2
    y = (torch.arange(height, device=values.device) - (height - 1) / 2)[:, None]
    source_x, source_y = angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y  # (N, H, W)
    grid = torch.stack((source_x / (width / 2), source_y / (height / 2)), dim=-1)  # from -1 to 1 within the image
    images = values.permute(0, 3, 1, 2)
    rotated = F.grid_sample(images, grid, mode=interpolation, padding_mode="zeros", align_corners=False)
    return rotated.permute(0, 2, 3, 1)


def color_jitter(
    values: Tensor, drawn: Draws, *, brightness: float, contrast: float, saturation: float, hue: float
) -> Tensor:
    """Scale brightness, contrast and saturation by random factors, then shift the hue, in this order."""

    def factor(reach: float, purpose: str) -> Tensor:
        least = max(0.0, 1 - reach)
        return (least + (1 + reach - least) * drawn.uniform(purpose))[:, None, None, None]

    values = (values * factor(brightness, "brightness")).clamp(0, 255)
    values = _away_from(_grey(values).mean((1, 2), keepdim=True), values, factor(contrast, "contrast"))
    values = _away_from(_grey(values), values, factor(saturation, "saturation"))
    return _turned(values, ((2 * drawn.uniform("hue") - 1) * hue)[:, None, None]) if hue else values


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


def _turned(values: Tensor, turns: Tensor) -> Tensor:
    """Shift the hue of images by a fraction of the colour circle, (N, 1, 1); saturation and value stay."""
    red, green, blue = values.unbind(-1)  # (N, H, W) each
    most, spread = values.amax(-1), values.amax(-1) - values.amin(-1)
    divisor = torch.where(spread > 0, spread, 1.0)  # grey has no hue
    of_green, of_blue = (blue - red) / divisor + 2, (red - green) / divisor + 4
    hue = torch.where(most == red, (green - blue) / divisor, torch.where(most == green, of_green, of_blue))
    hue = hue + turns * _OF_CIRCLE
    channels = []
    for position in (0, 2, 4):
        # A channel is largest up to 1 from its own position on the circle, and smallest from 2 on.
        distance = (hue - position + _OF_CIRCLE / 2).remainder(_OF_CIRCLE) - _OF_CIRCLE / 2
        channels.append(most - spread * (distance.abs() - 1).clamp(0, 1))
    return torch.stack(channels, dim=-1)


CHANGES: dict[str, Callable[..., Tensor]] = {
    "rotate": rotate,
    "color_jitter": color_jitter,
    "grayscale": grayscale,
}
