"""Modules of layers and joins that torch lacks.

For N samples, images are (N, C, H, W), feature vectors (N, F), and tokens (N, T, D), unless a class gives other shapes.
"""

from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

# ---- activations and factors


class TokenPReLU(nn.PReLU):
    """PReLU with a slope per feature of the tokens; torch's PReLU would have one per token. (N, T, D) -> (N, T, D)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class Power(nn.Module):
    """Raises all values to a constant power."""

    def __init__(self, exponent: float) -> None:
        super().__init__()
        self.exponent = exponent

    def forward(self, x: Tensor) -> Tensor:
        return x.pow(self.exponent)

    def extra_repr(self) -> str:
        return f"{self.exponent:g}"


class Exp(nn.Module):
    """The exponential of all values."""

    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


class Log(nn.Module):
    """The natural logarithm of all values."""

    def forward(self, x: Tensor) -> Tensor:
        return x.log()


class Scale(nn.Module):
    """Multiplies all values by a constant, then adds another."""

    def __init__(self, factor: float, offset: float = 0.0) -> None:
        super().__init__()
        self.factor = factor
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor + self.offset if self.offset else x * self.factor

    def extra_repr(self) -> str:
        return f"{self.factor:g}, offset={self.offset:g}" if self.offset else f"{self.factor:g}"


class LayerScale(nn.Module):
    """Multiplies each channel or feature by a learned factor."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.weight[:, None, None] if x.dim() == 4 else self.weight)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}"


class Affine(nn.Module):
    """Multiplies each channel or feature by a learned factor, then adds a learned offset."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 4:
            return x * self.weight[:, None, None] + self.bias[:, None, None]
        return x * self.weight + self.bias

    def extra_repr(self) -> str:
        return f"{len(self.weight)}"


# ---- normalisation


class ChannelLayerNorm(nn.Module):
    """Layer normalization over the channels of each pixel of (N, C, H, W)."""

    def __init__(
        self,
        channels: int,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.eps = eps
        affine = elementwise_affine
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)  # channels last
        x = F.layer_norm(x, (self.channels,), self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class TokenBatchNorm(nn.BatchNorm1d):
    """Batch normalization of each feature over batch and tokens: (N, T, D) -> (N, T, D).

    Tokens become samples. Seen as images of T x 1 pixels, which are in two memory formats at once, torch 2.14 computes
    wrong gradients for some gradients of the output.
    """

    def forward(self, x: Tensor) -> Tensor:
        return torch.unflatten(super().forward(x.flatten(0, 1)), 0, (-1, x.shape[1]))


class L2Norm(nn.Module):
    """Divides the vectors along one dimension by their Euclidean norm, or by `eps` if that is larger."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=self.dim, eps=self.eps)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, eps={self.eps:g}"


# ---- pooling


class GlobalAvgPool(nn.Module):
    """Mean over height and width, or over tokens; `keep` keeps the axes as 1."""

    def __init__(self, dim: tuple[int, ...], keep: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.keep = keep

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(self.dim, keepdim=self.keep)


class GlobalMaxPool(nn.Module):
    """Maximum over height and width, or over tokens; `keep` keeps the axes as 1."""

    def __init__(self, dim: tuple[int, ...], keep: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.keep = keep

    def forward(self, x: Tensor) -> Tensor:
        return x.amax(self.dim, keepdim=self.keep)


class LpPool(nn.LPPool2d):
    """p-norm of each window. torch's LPPool2d omits the absolute value, so its sums may have no root."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.abs())


class BlurPool(nn.Module):
    """Blurs each channel with [1, 2, 1] x [1, 2, 1] / 16, then subsamples it: (N, C, H, W) -> (N, C, H', W')."""

    def __init__(self, stride: tuple[int, int]) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        # [1, 2, 1] / 4 is the mean of two, [1, 1] / 2, applied twice: no stored filter.
        once = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 2, stride=1)
        return F.avg_pool2d(once, 2, stride=self.stride)

    def extra_repr(self) -> str:
        return f"stride={self.stride}"


# ---- windows


class _Windows(nn.Unfold):
    """The windows of images: (N, C, H, W) -> (N, C * kernel^2, L), L = H' * W'."""

    def forward(self, x: Tensor) -> Tensor:
        windows = super().forward(x)
        # torch returns a tensor of the input's size
        return windows.clone() if windows.numel() < x.numel() else windows


class Unfold(_Windows):
    """The windows of images as channels: (N, C, H, W) -> (N, C * kernel^2, H', W')."""

    def __init__(self, size: tuple[int, int], **arguments: tuple[int, int]) -> None:
        super().__init__(**arguments)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return torch.unflatten(super().forward(x), 2, self.size)


class LocallyConnected(nn.Module):
    """A convolution with other filters at each of L places: (N, C, H, W) -> (N, F, H', W'), L = H' * W'.

    `weight` is (L, F, C * kernel^2) and `bias` (F, H', W').
    """

    def __init__(
        self,
        window: int,
        output: tuple[int, int, int],
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int],
        bias: bool,
    ) -> None:
        super().__init__()
        channels, height, width = output
        self.windows = _Windows(kernel_size, stride=stride, padding=padding)
        self.size = (height, width)
        self.weight = nn.Parameter(torch.empty(height * width, channels, window))
        self.bias = nn.Parameter(torch.empty(output)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        windows = self.windows(x).permute(2, 0, 1)  # (L, N, C * kernel^2)
        y = torch.bmm(windows, self.weight.transpose(1, 2)).permute(1, 2, 0)
        y = torch.unflatten(y, 2, self.size)
        return y if self.bias is None else y + self.bias.to(y.dtype)

    def extra_repr(self) -> str:
        places, channels, window = self.weight.shape
        return f"{window} -> {channels} at {places} places"


# ---- shapes


class Tokens(nn.Module):
    """Pixels of images to tokens, row by row: (N, C, H, W) -> (N, H * W, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


class Grid(nn.Module):
    """Tokens to pixels of images, row by row: (N, H * W, C) -> (N, C, H, W)."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size = (height, width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.unflatten(x.transpose(1, 2), 2, self.size)

    def extra_repr(self) -> str:
        return f"{self.size[0]}x{self.size[1]}"


class Transpose(nn.Module):
    """Swaps tokens and features: (N, T, D) -> (N, D, T)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


class Token(nn.Module):
    """Selects one token: (N, T, D) -> (N, D)."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.index]

    def extra_repr(self) -> str:
        return f"{self.index}"


class Slice(nn.Module):
    """Selects the range from `start` to `stop`, excluded, along one dimension."""

    def __init__(self, dim: int, start: int, stop: int) -> None:
        super().__init__()
        self.dim = dim
        self.start = start
        self.stop = stop

    def forward(self, x: Tensor) -> Tensor:
        return x.narrow(self.dim, self.start, self.stop - self.start)

    def extra_repr(self) -> str:
        return f"{self.start}:{self.stop}, dim={self.dim}"


class Places(nn.Module):
    """Selects (start, stop, step) of each dimension but the batch."""

    def __init__(self, chosen: tuple[tuple[int, int, int], ...]) -> None:
        super().__init__()
        self.places = tuple(slice(*one) for one in chosen)

    def forward(self, x: Tensor) -> Tensor:
        return x[(slice(None), *self.places)]

    def extra_repr(self) -> str:
        return ", ".join(f"{one.start}:{one.stop}:{one.step}" for one in self.places)


# ---- tokens


class Patches(nn.Conv2d):
    """Maps each patch of an image linearly to a token: (N, C, H, W) -> (N, T, D)."""

    def __init__(
        self,
        channels: int,
        features: int,
        size: tuple[int, int],
        bias: bool,
    ) -> None:
        super().__init__(channels, features, size, stride=size, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).flatten(2).transpose(1, 2)


class ClassToken(nn.Module):
    """Prepends a learned token: (N, T, D) -> (N, T + 1, D)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(features))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.weight.expand(x.shape[0], 1, -1), x], dim=1)


class Learned(nn.Module):
    """A learned tensor for each sample, the same for all: (N, ...) -> (N, *size)."""

    def __init__(self, size: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight.expand(x.shape[0], *self.weight.shape)

    def extra_repr(self) -> str:
        return "x".join(map(str, self.weight.shape))


class PositionEmbedding(nn.Module):
    """Adds a learned vector for each position: (N, T, D) -> (N, T, D)."""

    def __init__(self, tokens: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(tokens, features))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight


class Attention(nn.Module):
    """Multi-head self-attention, as in torch.nn.MultiheadAttention: on (N, T, D)."""

    def __init__(self, features: int, heads: int, bias: bool, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.in_weight = nn.Parameter(torch.empty(3 * features, features))
        self.in_bias = nn.Parameter(torch.zeros(3 * features)) if bias else None
        self.out_weight = nn.Parameter(torch.empty(features, features))
        self.out_bias = nn.Parameter(torch.zeros(features)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        parts = F.linear(x, self.in_weight, self.in_bias).chunk(3, dim=2)
        split = [torch.unflatten(part, 2, (self.heads, -1)) for part in parts]
        q, k, v = (part.transpose(1, 2) for part in split)  # (N, heads, T, D / heads)
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        y = y.transpose(1, 2).flatten(2)
        return F.linear(y, self.out_weight, self.out_bias)

    def extra_repr(self) -> str:
        return f"{len(self.out_weight)}, heads={self.heads}, dropout={self.dropout:g}"


# ---- scores of attention


def _distances(extent: int, like: Tensor) -> Tensor:
    """Distances of pairs of places along an axis, query minus key, the least as 0."""
    places = torch.arange(extent, device=like.device)
    return places[:, None] - places + extent - 1


class RelativeBias(nn.Module):
    """Adds a learned number for head and distance to scores (N, heads, T, T)."""

    def __init__(self, heads: int, height: int, width: int) -> None:
        super().__init__()
        self.size = (height, width)
        distances = (2 * height - 1) * (2 * width - 1)
        self.weight = nn.Parameter(torch.empty(distances, heads))

    def forward(self, x: Tensor) -> Tensor:
        height, width = self.size
        rows, columns = _distances(height, x), _distances(width, x)
        places = rows[:, None, :, None] * (2 * width - 1) + columns[None, :, None, :]
        return x + self.weight[places.flatten(2).flatten(0, 1)].permute(2, 0, 1)

    def extra_repr(self) -> str:
        return f"{self.size[0]}x{self.size[1]}, heads={self.weight.shape[1]}"


class RelativeScores(nn.Module):
    """Products of queries with a learned vector for each distance: (N, T, D) -> (N, heads, T, T)."""

    def __init__(self, heads: int, features: int, height: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.size = (height, width)
        self.rows = nn.Parameter(torch.empty(2 * height - 1, features))
        self.columns = nn.Parameter(torch.empty(2 * width - 1, features))

    def forward(self, x: Tensor) -> Tensor:
        height, width = self.size
        queries = torch.unflatten(torch.unflatten(x, 2, (self.heads, -1)), 1, self.size)
        columns = self.columns[_distances(width, x).T]
        rows = self.rows[_distances(height, x).T]
        by_row = torch.einsum("nyxhe,yje->nhyxj", queries, rows)
        by_column = torch.einsum("nyxhe,xie->nhyxi", queries, columns)
        scores = by_row[..., :, None] + by_column[..., None, :]
        return scores.flatten(4).flatten(2, 3)

    def extra_repr(self) -> str:
        return f"{self.size[0]}x{self.size[1]}, heads={self.heads}"


# ---- joins


class Add(nn.Module):
    """The elementwise sum."""

    def forward(self, *branches: Tensor) -> Tensor:
        return reduce(torch.add, branches)


class Mul(nn.Module):
    """The elementwise product."""

    def forward(self, *branches: Tensor) -> Tensor:
        return reduce(torch.mul, branches)


class AlignedAdd(nn.Module):
    """The elementwise sum. Vectors, (N, C), are those of channels of images or of features of tokens."""

    def forward(self, *branches: Tensor) -> Tensor:
        return reduce(torch.add, aligned(branches))


class AlignedMul(nn.Module):
    """The elementwise product. A vector (N, C) counts for all pixels or tokens."""

    def forward(self, *branches: Tensor) -> Tensor:
        return reduce(torch.mul, aligned(branches))


class MeanOfBranches(nn.Module):
    """The elementwise mean. A vector (N, C) counts for all pixels or tokens."""

    def forward(self, *branches: Tensor) -> Tensor:
        if len(branches) == 1:
            return branches[0]
        return reduce(torch.add, aligned(branches)) / len(branches)


class MaxOfBranches(nn.Module):
    """The elementwise maximum. Vectors, (N, C), are those of channels of images or of features of tokens."""

    def forward(self, *branches: Tensor) -> Tensor:
        return reduce(torch.maximum, aligned(branches))


def aligned(branches: tuple[Tensor, ...]) -> list[Tensor]:
    """The branches; vectors (N, C) get axes of extent 1, so that they broadcast."""
    dimensions = max(branch.dim() for branch in branches)
    added = {3: (slice(None), None), 4: (slice(None), slice(None), None, None)}
    return [x if x.dim() == dimensions else x[added[dimensions]] for x in branches]


class Concat(nn.Module):
    """Concatenates tensors along a dimension."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *branches: Tensor) -> Tensor:
        return torch.cat(branches, dim=self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


# By the key that a layer or join is lowered to.
MODULES: dict[str, type[nn.Module]] = {
    "token_prelu": TokenPReLU,
    "power": Power,
    "exp": Exp,
    "log": Log,
    "scale": Scale,
    "layer_scale": LayerScale,
    "affine": Affine,
    "channel_layernorm": ChannelLayerNorm,
    "token_batchnorm": TokenBatchNorm,
    "l2norm": L2Norm,
    "global_avgpool": GlobalAvgPool,
    "global_maxpool": GlobalMaxPool,
    "lppool": LpPool,
    "blurpool": BlurPool,
    "unfold": Unfold,
    "locally_connected": LocallyConnected,
    "tokens": Tokens,
    "grid": Grid,
    "transpose": Transpose,
    "token": Token,
    "slice": Slice,
    "places": Places,
    "patches": Patches,
    "class_token": ClassToken,
    "learned": Learned,
    "position_embedding": PositionEmbedding,
    "attention": Attention,
    "relative_bias": RelativeBias,
    "relative_scores": RelativeScores,
    "add": Add,
    "mul": Mul,
    "aligned_add": AlignedAdd,
    "aligned_mul": AlignedMul,
    "mean_of_branches": MeanOfBranches,
    "max_of_branches": MaxOfBranches,
    "concat": Concat,
}
