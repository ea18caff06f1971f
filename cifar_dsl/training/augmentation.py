"""Augmentation on the device, each image by itself.

An augmentation changes a map (N, H, W) that says for every pixel of the output from which pixel of its
source image it comes: y * W + x, or BLANK. The images themselves are gathered once, at the end.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from cifar_dsl.ir import Call
from cifar_dsl.training import draws

BLANK = -1

_Augment = Callable[..., Tensor]
_IMPLEMENTED: dict[str, _Augment] = {}


def _implements(name: str) -> Callable[[_Augment], _Augment]:
    def enter(function: _Augment) -> _Augment:
        _IMPLEMENTED[name] = function
        return function

    return enter


def source_map(
    augmentations: tuple[Call, ...], index: Tensor, seed: int, epoch: int, height: int, width: int
) -> Tensor:
    """Where each pixel of each augmented image comes from: (N,) indices -> (N, H, W) int64."""
    pixels = torch.arange(height * width, device=index.device).view(1, height, width)
    pixels = pixels.expand(len(index), height, width)
    for place, call in enumerate(augmentations):
        key = draws.key(seed, epoch, f"augment {place} {call.name}")
        pixels = _IMPLEMENTED[call.name](pixels, key, index, **call.keywords())
    return pixels


@_implements("crop")
def crop(pixels: Tensor, key: int, index: Tensor, *, padding: int, mode: str) -> Tensor:
    """A window of the padded image at a random place."""
    _, height, width = pixels.shape
    top = draws.integers(key, index, 2 * padding + 1) - padding
    left = draws.integers(~key, index, 2 * padding + 1) - padding
    rows = torch.arange(height, device=index.device) + top[:, None]  # (N, H)
    columns = torch.arange(width, device=index.device) + left[:, None]
    if mode == "reflect":
        rows, columns = _reflect(rows, height), _reflect(columns, width)
    is_outside = ((rows < 0) | (rows >= height))[:, :, None] | ((columns < 0) | (columns >= width))[:, None, :]
    inside_rows = rows.clamp(0, height - 1)[:, :, None].expand(-1, -1, width)
    inside_columns = columns.clamp(0, width - 1)[:, None, :].expand(-1, height, -1)
    window = pixels.gather(1, inside_rows).gather(2, inside_columns)
    return window.masked_fill(is_outside, BLANK)


@_implements("flip")
def flip(pixels: Tensor, key: int, index: Tensor, *, p: float) -> Tensor:
    """Left and right exchanged."""
    is_flipped = draws.uniform(key, index) < p
    return torch.where(is_flipped[:, None, None], pixels.flip(2), pixels)


@_implements("cutout")
def cutout(pixels: Tensor, key: int, index: Tensor, *, size: int) -> Tensor:
    """A blank square around a random pixel; at the border a part of it."""
    _, height, width = pixels.shape
    top = draws.integers(key, index, height) - size // 2
    left = draws.integers(~key, index, width) - size // 2
    rows = torch.arange(height, device=index.device) - top[:, None]
    columns = torch.arange(width, device=index.device) - left[:, None]
    is_cut = ((rows >= 0) & (rows < size))[:, :, None] & ((columns >= 0) & (columns < size))[:, None, :]
    return pixels.masked_fill(is_cut, BLANK)


def _reflect(place: Tensor, extent: int) -> Tensor:
    """Places beyond an end mirrored at the last pixel, as torch's `reflect` padding does."""
    period = max(1, 2 * (extent - 1))
    folded = place.remainder(period)
    return torch.where(folded < extent, folded, period - folded)
