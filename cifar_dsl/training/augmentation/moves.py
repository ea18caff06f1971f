"""Augmentations that move pixels or fill them.

Each transforms a source map, (N, H, W) int64. For every output pixel, the map holds the index y * W + x of its source
pixel, or its fill: BLACK, MEAN or NOISE.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from cifar_dsl.ir.recipe import Augmentation
from cifar_dsl.training.draws import Draws

BLACK, MEAN, NOISE = -1, -2, -3
_FILLS = {"black": BLACK, "mean": MEAN, "noise": NOISE}
_ERASING_ATTEMPTS = 10  # candidates per image


def identity_map(count: int, height: int, width: int, device: torch.device) -> Tensor:
    """The source map of unchanged images: (N, H, W) int64."""
    return torch.arange(height * width, device=device).view(1, height, width).expand(count, height, width)


def crop(source: Tensor, drawn: Draws, *, padding: int, mode: str) -> Tensor:
    """Crop a random window from the padded image."""
    _, height, width = source.shape
    top = drawn.integers(2 * padding + 1) - padding
    left = drawn.integers(2 * padding + 1, is_second=True) - padding
    rows = torch.arange(height, device=source.device) + top[:, None]  # (N, H)
    columns = torch.arange(width, device=source.device) + left[:, None]
    if mode == "reflect":
        return _window(source, reflected(rows, height), reflected(columns, width))
    is_outside = ((rows < 0) | (rows >= height))[:, :, None] | ((columns < 0) | (columns >= width))[:, None, :]
    window = _window(source, rows.clamp(0, height - 1), columns.clamp(0, width - 1))
    return window.masked_fill(is_outside, BLACK)


def _window(source: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The rows, (N, H), and columns, (N, W), of source maps (N, H, W)."""
    _, height, width = source.shape
    return source.gather(1, rows[:, :, None].expand(-1, -1, width)).gather(
        2, columns[:, None, :].expand(-1, height, -1)
    )


def translate(source: Tensor, drawn: Draws, *, pixels: int, mode: str) -> Tensor:
    """Shift the image by up to `pixels` in each direction."""
    return crop(source, drawn, padding=pixels, mode=mode)


def flip(source: Tensor, drawn: Draws, *, p: float) -> Tensor:
    """Mirror an image horizontally with probability `p`."""
    return _mirrored(source, drawn.uniform() < p)


def alternating_flip(source: Tensor, drawn: Draws) -> Tensor:
    """Mirror a random half of the images in odd epochs, and the other half in even epochs."""
    is_first = drawn.uniform_in_all_epochs() < 0.5
    return _mirrored(source, is_first == drawn.keys.is_odd)


def _mirrored(source: Tensor, is_flipped: Tensor) -> Tensor:
    return torch.where(is_flipped[:, None, None], source.flip(2), source)


def cutout(source: Tensor, drawn: Draws, *, size: int, fill: str) -> Tensor:
    """Fill a square around a random pixel, clipped at the border."""
    _, height, width = source.shape
    top = drawn.integers(height) - size // 2
    left = drawn.integers(width, is_second=True) - size // 2
    return source.masked_fill(rectangle(height, width, top, left, top + size, left + size), _FILLS[fill])


def random_erasing(
    source: Tensor, drawn: Draws, *, p: float, area: tuple[float, float], ratio: tuple[float, float], fill: str
) -> Tensor:
    """Fill a random rectangle with probability `p`: the first of ten candidates that fits, if one does."""
    _, height, width = source.shape
    rows, columns = torch.zeros_like(drawn.index), torch.zeros_like(drawn.index)
    is_chosen = torch.zeros_like(drawn.index, dtype=torch.bool)
    for attempt in range(_ERASING_ATTEMPTS):
        size = _between(area, drawn.uniform(f"area {attempt}")) * (height * width)
        shape = _between(ratio, drawn.uniform(f"ratio {attempt}"))
        drawn_rows, drawn_columns = (size * shape).sqrt().round().long(), (size / shape).sqrt().round().long()
        is_first = ~is_chosen & (drawn_rows < height) & (drawn_columns < width)
        rows, columns = torch.where(is_first, drawn_rows, rows), torch.where(is_first, drawn_columns, columns)
        is_chosen |= is_first
    top = drawn.integers(height - rows + 1, "top")
    left = drawn.integers(width - columns + 1, "left")
    is_erased = rectangle(height, width, top, left, top + rows, left + columns)
    is_erased = is_erased & (drawn.uniform() < p)[:, None, None]
    return source.masked_fill(is_erased, _FILLS[fill])


def rectangle(height: int, width: int, top: Tensor, left: Tensor, bottom: Tensor, right: Tensor) -> Tensor:
    """The mask of a rectangle, `bottom` and `right` excluded: four times (N,) int64 -> (N, H, W) bool."""
    rows = torch.arange(height, device=top.device)
    columns = torch.arange(width, device=top.device)
    is_row = (rows >= top[:, None]) & (rows < bottom[:, None])
    is_column = (columns >= left[:, None]) & (columns < right[:, None])
    return is_row[:, :, None] & is_column[:, None, :]


def reflected(position: Tensor, extent: int) -> Tensor:
    """Mirror positions outside [0, extent) at the border pixels, as torch's `reflect` padding does."""
    period = max(1, 2 * (extent - 1))
    folded = position.remainder(period)
    return torch.where(folded < extent, folded, period - folded)


def _between(bounds: tuple[float, float], share: Tensor) -> Tensor:
    return bounds[0] + (bounds[1] - bounds[0]) * share


MOVES: dict[str, Callable[..., Tensor]] = {
    "crop": crop,
    "translate": translate,
    "flip": flip,
    "alternating_flip": alternating_flip,
    "cutout": cutout,
    "random_erasing": random_erasing,
}


def leaves_gaps(move: Augmentation) -> bool:
    """Whether a pixel can be left without a source."""
    arguments = move.arguments()
    return "fill" in arguments or arguments.get("mode", "reflect") != "reflect"
