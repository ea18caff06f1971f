"""Modules of patterns, and of what runs for the parts of a tensor: windows, products, attention among them.

For N samples, `shapes` and `shape` of a pattern leave out N.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from cifar_dsl.ir import Pattern

# ---- patterns


class _OfPattern(nn.Module):
    """Splits the axes of a tensor, and moves and merges those that are left: (N, *shapes[0]) -> (N, *shape)."""

    def __init__(self, pattern: Pattern) -> None:
        super().__init__()
        self.pattern = pattern
        axes = pattern.axes_of(0)
        self._split = pattern.extents_of(axes)
        self._merged = pattern.shape.extents
        self._missing = tuple(1 + axes.index(number) for number in pattern.missing)
        left = [number for number in axes if number in pattern.kept]
        self._order = (0, *(1 + left.index(number) for number in pattern.kept))

    def forward(self, x: Tensor) -> Tensor:
        split = x.reshape(x.shape[0], *self._split)
        return self.without(split, self._missing).permute(self._order).reshape(x.shape[0], *self._merged)

    def without(self, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        """The tensor without the axes that are missing on the right."""
        return x.squeeze(axes)  # of extent 1

    def extra_repr(self) -> str:
        return self.pattern.text


class Rearrange(_OfPattern):
    """Splits, moves and merges axes."""


class Mean(_OfPattern):
    """The mean over the axes that are missing on the right."""

    def without(self, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        return x.mean(axes) if axes else x


class Max(_OfPattern):
    """The largest number along the axes that are missing on the right."""

    def without(self, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        return x.amax(axes) if axes else x


class Sum(_OfPattern):
    """The sum over the axes that are missing on the right."""

    def without(self, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        return x.sum(axes) if axes else x


# ---- parts


class EachPart(nn.Module):
    """The parts of samples as samples: (N, *shapes[0]) -> (N * parts, *shape); a part has the axes on the right."""

    def __init__(self, pattern: Pattern) -> None:
        super().__init__()
        self.pattern = pattern
        axes = pattern.axes_of(0)
        self._split = pattern.extents_of(axes)
        self._order = (0, *(1 + axes.index(number) for number in (*pattern.missing, *pattern.kept)))
        self._part = pattern.shape.extents

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self._split).permute(self._order).reshape(-1, *self._part)

    def extra_repr(self) -> str:
        return self.pattern.text


class PutBack(nn.Module):
    """Parts in their places, undoing `EachPart`: (N * parts, *shape) -> (N, *shapes[0])."""

    def __init__(self, pattern: Pattern) -> None:
        super().__init__()
        order = (*pattern.missing, *pattern.kept)
        self._split = pattern.extents_of(order)
        self._order = (0, *(1 + order.index(number) for number in pattern.axes_of(0)))
        self._whole = pattern.shapes[0].extents

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, *self._split).permute(self._order).reshape(-1, *self._whole)


class _OfWindows(nn.Module):
    def __init__(self, image: tuple[int, int], size: tuple[int, int], shift: tuple[int, int]) -> None:
        super().__init__()
        self.image = image
        self.size = size
        self.shift = shift
        self.counts = (image[0] // size[0], image[1] // size[1])

    def extra_repr(self) -> str:
        return f"size={self.size}, shift={self.shift}"


class IntoWindows(_OfWindows):
    """Windows of images as samples of tokens: (N, C, H, W) -> (N * windows, size * size, C)."""

    def forward(self, x: Tensor) -> Tensor:
        if any(self.shift):
            x = x.roll([-one for one in self.shift], dims=(2, 3))
        (rows, columns), (height, width) = self.counts, self.size
        split = x.reshape(x.shape[0], x.shape[1], rows, height, columns, width)
        return split.permute(0, 2, 4, 3, 5, 1).reshape(-1, height * width, x.shape[1])


class FromWindows(_OfWindows):
    """Windows in their places: (N * windows, size * size, C) -> (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        (rows, columns), (height, width) = self.counts, self.size
        split = x.reshape(-1, rows, columns, height, width, x.shape[2])
        whole = split.permute(0, 5, 1, 3, 2, 4).reshape(-1, x.shape[2], *self.image)
        return whole.roll(self.shift, dims=(2, 3)) if any(self.shift) else whole


class WindowMask(_OfWindows):
    """Subtracts 100 from the scores of pixels that are no neighbours: (N * windows, heads, T, T), unchanged.

    In an image that was rolled, a window at its end holds pixels of both edges.
    """

    def forward(self, x: Tensor) -> Tensor:
        rolled = torch.zeros(self.image, device=x.device)
        rolled[self.image[0] - self.shift[0] :] += 1
        rolled[:, self.image[1] - self.shift[1] :] += 2
        (rows, columns), (height, width) = self.counts, self.size
        regions = rolled.reshape(rows, height, columns, width).transpose(1, 2).reshape(rows * columns, -1)
        mask = -100 * (regions[:, None, :, None] != regions[:, None, None, :]).to(x.dtype)
        return (x.reshape(-1, rows * columns, *x.shape[1:]) + mask).reshape(x.shape)


class Einsum(nn.Module):
    """The product of tensors, summed over the axes that are missing on the right of a pattern."""

    def __init__(self, pattern: Pattern) -> None:
        super().__init__()
        self.pattern = pattern
        self._splits = [pattern.extents_of(pattern.axes_of(place)) for place in range(len(pattern.inputs))]
        sides = [pattern.axes_of(place) for place in range(len(pattern.inputs))]
        inputs = ",".join("z" + "".join(chr(ord("a") + number) for number in side) for side in sides)
        self._formula = f"{inputs}->z{''.join(chr(ord('a') + number) for number in pattern.kept)}"
        self._merged = pattern.shape.extents

    def forward(self, *branches: Tensor) -> Tensor:
        split = [x.reshape(x.shape[0], *extents) for x, extents in zip(branches, self._splits, strict=True)]
        product = torch.einsum(self._formula, *split)
        return product.reshape(product.shape[0], *self._merged)

    def extra_repr(self) -> str:
        return self.pattern.text


class Attend(nn.Module):
    """Attention of queries to keys and values: (N, Tq, Dq), (N, Tk, Dq), (N, Tk, Dv) -> (N, Tq, Dv)."""

    def __init__(self, heads: int, scaled: bool) -> None:
        super().__init__()
        self.heads = heads
        self.scale = None if scaled else 1.0

    def forward(self, *branches: Tensor) -> Tensor:
        queries, keys, values = (torch.unflatten(x, 2, (self.heads, -1)).transpose(1, 2) for x in branches)
        attended = F.scaled_dot_product_attention(queries, keys, values, scale=self.scale)
        return attended.transpose(1, 2).flatten(2)

    def extra_repr(self) -> str:
        return f"heads={self.heads}"


# By the key that an operation is lowered to.
MODULES: dict[str, type[nn.Module]] = {
    "rearrange": Rearrange,
    "each_part": EachPart,
    "put_back": PutBack,
    "into_windows": IntoWindows,
    "from_windows": FromWindows,
    "window_mask": WindowMask,
    "einsum": Einsum,
    "attend": Attend,
    "mean": Mean,
    "max": Max,
    "sum": Sum,
}
