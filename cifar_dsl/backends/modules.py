"""The torch modules that layers emit and torch itself doesn't have."""

from functools import reduce

import torch
from torch import Tensor, nn


class GlobalAvgPool(nn.Module):
    """The mean over height and width: (N, C, H, W) -> (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        return x.mean((2, 3))


class Add(nn.Module):
    """The sum of tensors of one shape."""

    def forward(self, *branches: Tensor) -> Tensor:
        """Join."""
        return reduce(torch.add, branches)


class Mul(nn.Module):
    """The product of tensors; one of (N, C) scales the channels of one of (N, C, H, W)."""

    def forward(self, *branches: Tensor) -> Tensor:
        """Join."""
        dimensions = max(branch.dim() for branch in branches)
        return reduce(
            torch.mul,
            [b if b.dim() == dimensions else b[(...,) + (None,) * (dimensions - b.dim())] for b in branches],
        )


class Concat(nn.Module):
    """Tensors one after another along their channels (or features)."""

    def forward(self, *branches: Tensor) -> Tensor:
        """Join."""
        return torch.cat(branches, dim=1)
