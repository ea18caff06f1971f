"""Modules of patterns, and of what runs for the parts of a tensor: windows, products, attention among them.

For N samples, extents and shapes leave out N, which is axis 0 in `order` and `over`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

# ---- patterns


class Rearrange(nn.Module):
    """Splits axes into `split`, moves them into `order`, merges them into `shape`."""

    def __init__(
        self,
        pattern: str,
        split: tuple[int, ...],
        order: tuple[int, ...],
        shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.pattern = pattern
        self.split = split
        self.order = order
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        split = x.reshape(x.shape[0], *self.split)
        return split.permute(self.order).reshape(x.shape[0], *self.shape)

    def extra_repr(self) -> str:
        return self.pattern


class _Reduction(Rearrange):
    """Splits axes into `split`, and reduces the axes `over`; then as `Rearrange`."""

    def __init__(
        self,
        pattern: str,
        split: tuple[int, ...],
        over: tuple[int, ...],
        order: tuple[int, ...],
        shape: tuple[int, ...],
    ) -> None:
        super().__init__(pattern, split, order, shape)
        self.over = over

    def forward(self, x: Tensor) -> Tensor:
        left = x.reshape(x.shape[0], *self.split)
        if self.over:
            left = self.reduced(left)
        return left.permute(self.order).reshape(x.shape[0], *self.shape)

    def reduced(self, x: Tensor) -> Tensor:
        """The tensor without the axes `over`."""
        raise NotImplementedError


class Mean(_Reduction):
    """The mean over the axes that are missing on the right of a pattern."""

    def reduced(self, x: Tensor) -> Tensor:
        return x.mean(self.over)


class Max(_Reduction):
    """The largest number along the axes that are missing on the right of a pattern."""

    def reduced(self, x: Tensor) -> Tensor:
        return x.amax(self.over)


class Sum(_Reduction):
    """The sum over the axes that are missing on the right of a pattern."""

    def reduced(self, x: Tensor) -> Tensor:
        return x.sum(self.over)


# ---- parts


class EachPart(Rearrange):
    """The parts of samples as samples: (N, ...) -> (N * parts, *shape); the axes of a part come last in `order`."""

    def forward(self, x: Tensor) -> Tensor:
        split = x.reshape(x.shape[0], *self.split)
        return split.permute(self.order).reshape(-1, *self.shape)


class PutBack(nn.Module):
    """Parts in their places, undoing `EachPart`: (N * parts, ...) -> (N, *shape)."""

    def __init__(
        self,
        split: tuple[int, ...],
        order: tuple[int, ...],
        shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.split = split
        self.order = order
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, *self.split).permute(self.order).reshape(-1, *self.shape)


class _OfWindows(nn.Module):
    def __init__(
        self,
        image: tuple[int, int],
        size: tuple[int, int],
        shift: tuple[int, int],
    ) -> None:
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
        down, right = (torch.arange(extent, device=x.device) for extent in self.image)
        is_lower = down >= self.image[0] - self.shift[0]
        is_right = right >= self.image[1] - self.shift[1]
        rolled = is_lower[:, None] + 2 * is_right
        (rows, columns), (height, width) = self.counts, self.size
        regions = rolled.reshape(rows, height, columns, width).transpose(1, 2)
        regions = regions.reshape(rows * columns, -1)
        are_apart = regions[:, None, :, None] != regions[:, None, None, :]
        mask = -100 * are_apart.to(x.dtype)
        return (torch.unflatten(x, 0, (-1, rows * columns)) + mask).flatten(0, 1)


class Einsum(nn.Module):
    """The product of split tensors by `formula` of torch.einsum, of shape `shape`."""

    def __init__(
        self,
        pattern: str,
        formula: str,
        splits: tuple[tuple[int, ...], ...],
        shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.pattern = pattern
        self.formula = formula
        self.splits = splits
        self.shape = shape

    def forward(self, *branches: Tensor) -> Tensor:
        pairs = zip(branches, self.splits, strict=True)
        split = [x.reshape(x.shape[0], *extents) for x, extents in pairs]
        product = torch.einsum(self.formula, *split)
        return product.reshape(product.shape[0], *self.shape)

    def extra_repr(self) -> str:
        return self.pattern


class Attend(nn.Module):
    """Attention of queries to keys and values: (N, Tq, Dq), (N, Tk, Dq), (N, Tk, Dv) -> (N, Tq, Dv)."""

    def __init__(self, heads: int, scaled: bool) -> None:
        super().__init__()
        self.heads = heads
        self.scale = None if scaled else 1.0

    def forward(self, *branches: Tensor) -> Tensor:
        split = [torch.unflatten(x, 2, (self.heads, -1)) for x in branches]
        q, k, v = (x.transpose(1, 2) for x in split)
        y = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return y.transpose(1, 2).flatten(2)

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
