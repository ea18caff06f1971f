"""The modules that layers and joins lower to and torch itself doesn't have.

Of N samples, images are (N, C, H, W), vectors of features (N, F), and tokens (N, T, D).
"""

from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

# ---- activations and factors


class TokenPReLU(nn.PReLU):
    """PReLU with a slope for each feature of the tokens, where torch's would have one for each token."""

    def forward(self, x: Tensor) -> Tensor:
        """Activate."""
        return super().forward(x.mT).mT


class Scale(nn.Module):
    """Every number times a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Scale."""
        return x * self.factor

    def extra_repr(self) -> str:
        """What is printed of it."""
        return f"{self.factor:g}"


class LayerScale(nn.Module):
    """Each channel, or feature, times a learned factor."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Scale."""
        return x * (self.weight[:, None, None] if x.dim() == 4 else self.weight)

    def extra_repr(self) -> str:
        """What is printed of it."""
        return f"{len(self.weight)}"


class DropPath(nn.Module):
    """Zeroes all numbers of a sample with probability p while training, and divides those of others by 1 - p."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop."""
        if not self.training or self.p == 0:
            return x
        survival = 1 - self.p
        factors = x.new_empty(len(x), *[1] * (x.dim() - 1)).bernoulli_(survival).div_(survival)
        return x * factors

    def extra_repr(self) -> str:
        """What is printed of it."""
        return f"p={self.p:g}"


# ---- normalisation


class ChannelLayerNorm(nn.Module):
    """Layer normalisation over the channels at each place of an image."""

    def __init__(self, channels: int, eps: float, elementwise_affine: bool) -> None:
        super().__init__()
        self.channels = channels
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(channels)) if elementwise_affine else None
        self.bias = nn.Parameter(torch.empty(channels)) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        last = x.permute(0, 2, 3, 1)
        return F.layer_norm(last, (self.channels,), self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


# ---- pooling


class GlobalAvgPool(nn.Module):
    """The mean over height and width, or over the tokens."""

    def __init__(self, keep: bool) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        return x.mean(_pooled(x), keepdim=self.keep)


class GlobalMaxPool(nn.Module):
    """The maximum over height and width, or over the tokens."""

    def __init__(self, keep: bool) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        return x.amax(_pooled(x), keepdim=self.keep)


def _pooled(x: Tensor) -> tuple[int, ...]:
    return (2, 3) if x.dim() == 4 else (1,)


class LpPool(nn.LPPool2d):
    """The p-norm of each window; torch's own sums powers of signed numbers, which may have no root."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        return super().forward(x.abs())


class BlurPool(nn.Module):
    """Each channel blurred by [1, 2, 1] x [1, 2, 1] / 16 and subsampled."""

    def __init__(self, stride: tuple[int, int]) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        # [1, 2, 1] / 4 is [1, 1] / 2 applied twice, which are means of two and need no filter to be stored.
        once = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 2, stride=1)
        return F.avg_pool2d(once, 2, stride=self.stride)

    def extra_repr(self) -> str:
        """What is printed of it."""
        return f"stride={self.stride}"


# ---- shapes


class Tokens(nn.Module):
    """The pixels of images as tokens, row by row."""

    def forward(self, x: Tensor) -> Tensor:
        """Rearrange."""
        return x.flatten(2).mT


class Grid(nn.Module):
    """Tokens as the pixels of images, row by row."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size = (height, width)

    def forward(self, x: Tensor) -> Tensor:
        """Rearrange."""
        return torch.unflatten(x.mT, 2, self.size)

    def extra_repr(self) -> str:
        """What is printed of it."""
        return f"{self.size[0]}x{self.size[1]}"


class Transpose(nn.Module):
    """Tokens and features change places."""

    def forward(self, x: Tensor) -> Tensor:
        """Rearrange."""
        return x.mT


class Token(nn.Module):
    """One of the tokens."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def forward(self, x: Tensor) -> Tensor:
        """Select."""
        return x[:, self.index]

    def extra_repr(self) -> str:
        """What is printed of it."""
        return f"{self.index}"


class Slice(nn.Module):
    """What lies along one dimension from `start` up to but not including `stop`."""

    def __init__(self, dim: int, start: int, stop: int) -> None:
        super().__init__()
        self.dim = dim
        self.start = start
        self.stop = stop

    def forward(self, x: Tensor) -> Tensor:
        """Select."""
        return x.narrow(self.dim, self.start, self.stop - self.start)

    def extra_repr(self) -> str:
        """What is printed of it."""
        return f"{self.start}:{self.stop}, dim={self.dim}"


# ---- tokens


class Patches(nn.Conv2d):
    """Each patch of an image, mapped linearly to a token."""

    def __init__(self, channels: int, features: int, size: tuple[int, int], bias: bool) -> None:
        super().__init__(channels, features, size, stride=size, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Embed."""
        return super().forward(x).flatten(2).mT


class ClassToken(nn.Module):
    """A learned token in front of the others."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(features))

    def forward(self, x: Tensor) -> Tensor:
        """Put it there."""
        return torch.cat([self.weight.expand(len(x), 1, -1), x], dim=1)


class PositionEmbedding(nn.Module):
    """Adds to each token what is learned for its position."""

    def __init__(self, tokens: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(tokens, features))

    def forward(self, x: Tensor) -> Tensor:
        """Add."""
        return x + self.weight


class Attention(nn.Module):
    """Multi-head self-attention, as torch.nn.MultiheadAttention computes it."""

    def __init__(self, features: int, heads: int, bias: bool, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.in_weight = nn.Parameter(torch.empty(3 * features, features))
        self.in_bias = nn.Parameter(torch.empty(3 * features)) if bias else None
        self.out_weight = nn.Parameter(torch.empty(features, features))
        self.out_bias = nn.Parameter(torch.empty(features)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Attend."""
        queries, keys, values = (
            torch.unflatten(part, 2, (self.heads, -1)).transpose(1, 2)  # (N, heads, T, D / heads)
            for part in F.linear(x, self.in_weight, self.in_bias).chunk(3, dim=2)
        )
        dropout = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout)
        return F.linear(attended.transpose(1, 2).flatten(2), self.out_weight, self.out_bias)

    def extra_repr(self) -> str:
        """What is printed of it."""
        return f"{len(self.out_weight)}, heads={self.heads}, dropout={self.dropout:g}"


# ---- joins


class Add(nn.Module):
    """The sum of tensors of one shape."""

    def forward(self, *branches: Tensor) -> Tensor:
        """Join."""
        return reduce(torch.add, branches)


class Mul(nn.Module):
    """The product of tensors; vectors scale the channels of images, or the features of tokens."""

    def forward(self, *branches: Tensor) -> Tensor:
        """Join."""
        dimensions = max(branch.dim() for branch in branches)
        return reduce(torch.mul, [_aligned(branch, dimensions) for branch in branches])


def _aligned(branch: Tensor, dimensions: int) -> Tensor:
    """The branch with extents of 1 where a vector lacks the axes of what it scales."""
    if branch.dim() == dimensions:
        return branch
    return branch[:, :, None, None] if dimensions == 4 else branch[:, None]


class Concat(nn.Module):
    """Images one after another along their channels, vectors along their features, tokens along their number."""

    def forward(self, *branches: Tensor) -> Tensor:
        """Join."""
        return torch.cat(branches, dim=1)


# By the key that a layer or join lowers to.
MODULES: dict[str, type[nn.Module]] = {
    "token_prelu": TokenPReLU,
    "scale": Scale,
    "layer_scale": LayerScale,
    "drop_path": DropPath,
    "channel_layernorm": ChannelLayerNorm,
    "global_avgpool": GlobalAvgPool,
    "global_maxpool": GlobalMaxPool,
    "lppool": LpPool,
    "blurpool": BlurPool,
    "tokens": Tokens,
    "grid": Grid,
    "transpose": Transpose,
    "token": Token,
    "slice": Slice,
    "patches": Patches,
    "class_token": ClassToken,
    "position_embedding": PositionEmbedding,
    "attention": Attention,
    "add": Add,
    "mul": Mul,
    "concat": Concat,
}
