"""Tables of operations on images: each image of a batch names a row of the table, and the whole batch changes at once.

The operations are those of torchvision's policies, by its names and with its results. They work on bytes,
(N, H, W, 3) uint8. A family of operations shares one computation, in which each image has a number of its own:

    moves      output pixels take the values of source pixels, by a map of the image; nearest, black outside
    curves     a byte becomes another one by a table of 256, the same for all images
    stretches  as curves, but by a table that follows from the image's own histogram
    blends     a weighted sum with the grey image, or with its mean
    sharpness  a weighted sum with the blurred image

The number 0 of every family changes nothing. A CPU computes a family only for the images that use it. A GPU computes
every family for all images: a recorded step has fixed shapes, and the host must not wait for what was drawn.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cifar_dsl.foundation.records import frozen

_LEVELS = 256
_HIGHEST = _LEVELS - 1
_GREY = (0.2989, 0.587, 0.114)  # weights of red, green and blue, as in torchvision
_BYTES = np.arange(_LEVELS, dtype=np.uint8)
_MOVE, _CURVE, _STRETCH, _BLEND, _SHARPNESS = range(1, 6)
_NEITHER, _EQUALIZE, _AUTO_CONTRAST = range(3)
_BLURRED_SIDE = 3  # smaller images have no pixel with eight neighbours

_Change = Callable[[Tensor, Tensor], Tensor]  # images and their numbers in a family -> images


@frozen
class Operation:
    """An operation of torchvision's policies, with its magnitude; 0 if it has none."""

    name: str
    magnitude: float = 0.0


@frozen
class Table:
    """A table of operations for images of one size, on a device."""

    family: Tensor  # (R,) int64: of each row, counted from 1 in the order above; 0 for a row that changes nothing
    number: Tensor  # (R,) int64: in its family
    maps: Tensor  # (moves, H * W) int32: the index of each pixel's source pixel, or -1 for black
    curves: Tensor  # (curves, 256) uint8
    stretches: Tensor  # (stretches,) int64: equalize or stretch the contrast
    weights: Tensor  # (blends, 3) float32: of the image, of its grey image, and of the mean of that
    sharp: Tensor  # (sharpnesses,) float32: the weight of the blurred image

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.family)

    def applied(self, values: Tensor, rows: Tensor) -> Tensor:
        """Images (N, H, W, 3) uint8 after the operations of their rows, (N,) int64."""
        changes = (self._moved, self._curved, self._stretched, self._blended, self._sharpened)
        family, number = self.family.index_select(0, rows), self.number.index_select(0, rows)
        if skips_unchanged(values.device):
            return _changed_apart(values, family, number, changes)
        for place, change in enumerate(changes, 1):
            values = change(values, number * (family == place))
        return values

    def _moved(self, values: Tensor, number: Tensor) -> Tensor:
        count, height, width, channels = values.shape
        pixels = height * width
        source = self.maps.index_select(0, number)
        first = (torch.arange(count, device=values.device) * pixels)[:, None]
        source = torch.where(source < 0, count * pixels, source + first)
        black = values.new_zeros(1, channels)
        return torch.cat((values.reshape(-1, channels), black)).index_select(0, source.flatten()).view(values.shape)

    def _curved(self, values: Tensor, number: Tensor) -> Tensor:
        curve = self.curves.index_select(0, number)
        return curve.gather(1, values.flatten(1).long()).view(values.shape)

    def _stretched(self, values: Tensor, number: Tensor) -> Tensor:
        count, height, width, channels = values.shape
        pixels = height * width
        index = values.flatten(1, 2).transpose(1, 2).long()  # (N, C, H * W)
        ones = torch.ones((), dtype=torch.int32, device=values.device).expand(index.shape)
        counts = ones.new_zeros(count, channels, _LEVELS).scatter_add_(2, index, ones)
        up_to = counts.cumsum(2, dtype=torch.int32)
        lowest = (up_to == 0).sum(2, keepdim=True)
        highest = (up_to < pixels).sum(2, keepdim=True)
        levels = torch.arange(_LEVELS, dtype=torch.uint8, device=values.device)
        # As Pillow: the pixels below the highest level are spread evenly over all levels.
        step = (pixels - counts.gather(2, highest)) // _HIGHEST
        equalized = (up_to - counts + step // 2).float() / step.clamp(min=1)
        contrasted = (levels - lowest).float() / ((highest - lowest).clamp(min=1).float() * (1 / _HIGHEST))
        kind = self.stretches.index_select(0, number)[:, None, None]
        curve = torch.where(kind == _EQUALIZE, equalized, contrasted).clamp_(0, _HIGHEST).to(torch.uint8)
        is_changed = ((kind == _EQUALIZE) & (step > 0)) | ((kind == _AUTO_CONTRAST) & (highest > lowest))
        stretched = torch.where(is_changed, curve, levels).gather(2, index)
        return stretched.transpose(1, 2).reshape(values.shape)

    def _blended(self, values: Tensor, number: Tensor) -> Tensor:
        own, of_grey, of_mean = _apart(self.weights.index_select(0, number)[:, None, None])
        red, green, blue = _apart(values)
        grey = red.mul(_GREY[0]).add_(green, alpha=_GREY[1]).add_(blue, alpha=_GREY[2]).floor_()
        mean = grey.mean((1, 2), keepdim=True)
        blended = (values * own).addcmul_(grey, of_grey).addcmul_(mean, of_mean)
        return blended.clamp_(0, _HIGHEST).to(torch.uint8)

    def _sharpened(self, values: Tensor, number: Tensor) -> Tensor:
        if min(values.shape[1:3]) < _BLURRED_SIDE:
            return values
        sharp = values.float()
        middle = sharp[:, 1:-1, 1:-1]
        rows = sharp[:, :-2] + sharp[:, 1:-1] + sharp[:, 2:]
        square = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
        blurred = square.add_(middle, alpha=4).div_(13).round_()  # the middle counts five times
        middle.addcmul_(blurred - middle, self.sharp.index_select(0, number)[:, None, None, None])
        return sharp.clamp_(0, _HIGHEST).to(torch.uint8)


def _apart(three: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The elements of the last dimension, which stays."""
    return three[..., 0:1], three[..., 1:2], three[..., 2:3]


def skips_unchanged(device: torch.device) -> bool:
    """Whether only the images that an operation changes are computed."""
    return device.type == "cpu"


def _changed_apart(values: Tensor, family: Tensor, number: Tensor, changes: Sequence[_Change]) -> Tensor:
    """Apply each change to the images of its family, which are those in a row once all are in order."""
    order = family.argsort()
    sizes = family.bincount(minlength=len(changes) + 1).tolist()
    unchanged, *parts = torch.split(values.index_select(0, order), sizes)
    _, *numbers = torch.split(number.index_select(0, order), sizes)
    changed = [
        change(part, number) if len(part) else part
        for part, number, change in zip(parts, numbers, changes, strict=True)
    ]
    return torch.cat((unchanged, *changed)).index_select(0, order.argsort())


# ---- making tables, in numpy: every machine makes the same


def table_of(operations: Sequence[Operation], height: int, width: int, device: torch.device) -> Table:
    """The table with these operations as rows, for images of this size."""
    unchanged = np.arange(height * width, dtype=np.int32), _BYTES, _NEITHER, _weights(0), np.float32(0)
    entries: list[list[Any]] = [[one] for one in unchanged]  # of each family
    rows = {Operation("Identity"): (0, 0)}  # family and number of each operation
    for operation in operations:
        if operation not in rows:
            family, entry = _entry_of(operation, height, width)
            known = entries[family - 1]
            rows[operation] = (0, 0) if np.array_equal(entry, known[0]) else (family, len(known))
            known += [entry] if rows[operation][0] else []
    family, number = np.array([rows[operation] for operation in operations]).T.copy()
    return Table(*(torch.from_numpy(array).to(device) for array in (family, number, *map(np.array, entries))))


def _entry_of(operation: Operation, height: int, width: int) -> tuple[int, Any]:
    """The family of an operation, and its entry there."""
    magnitude = operation.magnitude
    match operation.name:
        case "Brightness":
            return _CURVE, (_BYTES * np.float32(1 + magnitude)).clip(0, _HIGHEST).astype(np.uint8)
        case "Posterize":
            return _CURVE, _BYTES & np.uint8(_LEVELS - 2 ** (8 - int(magnitude)))
        case "Solarize":
            return _CURVE, np.where(np.float32(_HIGHEST * magnitude) <= _BYTES, _HIGHEST - _BYTES, _BYTES)
        case "Invert":
            return _CURVE, _HIGHEST - _BYTES
        case "Equalize":
            return _STRETCH, _EQUALIZE
        case "AutoContrast":
            return _STRETCH, _AUTO_CONTRAST
        case "Color":
            return _BLEND, _weights(magnitude, of_grey=1)
        case "Contrast":
            return _BLEND, _weights(magnitude, of_mean=1)
        case "Sharpness":
            return _SHARPNESS, np.float32(1 - (1 + magnitude))
        case _:
            return _MOVE, _map_of(_matrix_of(operation, height, width), height, width)


def _weights(magnitude: float, of_grey: int = 0, of_mean: int = 0) -> NDArray[np.float32]:
    own = 1 + magnitude
    return np.array([own, of_grey * (1 - own), of_mean * (1 - own)], np.float32)


def _map_of(matrix: tuple[float, ...], height: int, width: int) -> NDArray[np.int32]:
    """The source pixel of each pixel, nearest to its position in torchvision's single precision; -1 outside."""
    scale = np.array([width, height], np.float32) / 2
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2)[None, :, None]
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2)[:, None, None]
    of_x, of_y, shift = np.array(matrix, np.float32).reshape(2, 3).T / scale
    position = x * of_x + y * of_y + shift  # (H, W, 2), from -1 to 1 within the image
    column, row = np.rint((position + 1) * scale - 0.5).astype(np.int32).transpose(2, 0, 1)
    is_inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return np.where(is_inside, row * width + column, -1).astype(np.int32).ravel()


def _matrix_of(operation: Operation, height: int, width: int) -> tuple[float, ...]:
    """The position of a pixel's source, two rows of (of x, of y, shift), in pixels from the centre."""
    magnitude = operation.magnitude
    match operation.name:
        case "ShearX":  # around the top left corner
            return 1, magnitude, magnitude * height / 2, 0, 1, 0
        case "ShearY":
            return 1, 0, 0, magnitude, 1, magnitude * width / 2
        case "TranslateX":
            return 1, 0, -int(magnitude), 0, 1, 0
        case "TranslateY":
            return 1, 0, 0, 0, 1, -int(magnitude)
        case "Rotate":
            angle = math.radians(magnitude)
            return math.cos(angle), -math.sin(angle), 0, math.sin(angle), math.cos(angle), 0
    raise ValueError(f"{operation.name!r} is not an operation")
