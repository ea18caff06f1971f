"""Modules that draw random numbers in training, which torch lacks.

They draw from torch's generator, other numbers for each of the N samples. In evaluation, they draw nothing.
"""

from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from cifar_dsl.training.lowering.modules import aligned


class Dropping(nn.Module):
    """Does something with probability `p * factor`; a schedule may set `factor`."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.factor: float | Tensor = 1.0

    def extra_repr(self) -> str:
        return f"p={self.p:g}"


class DropPath(Dropping):
    """In training, zeroes samples with probability p, and divides others by 1 - p."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        survival: Any = 1 - self.p * self.factor
        factors = x.new_empty(x.shape[0], *[1] * (x.dim() - 1))
        return x * factors.bernoulli_(survival).div_(survival)


class DropBlock(Dropping):
    """During training, zeroes blocks of each channel, and scales the rest: (N, C, H, W) -> (N, C, H, W).

    The scale is the same for all samples: 1 / (the fraction that is left in the batch).
    """

    def __init__(self, size: tuple[int, int], p: float) -> None:
        super().__init__(p)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        batch, channels, height, width = x.shape
        rows, columns = self.size
        places = (height - rows + 1, width - columns + 1)  # where a block may start
        ratio = height * width / (rows * columns * places[0] * places[1])
        drawn = torch.rand(batch, channels, *places, device=x.device)
        starts = drawn < self.p * self.factor * ratio
        padded = F.pad(starts.float(), (columns - 1, columns - 1, rows - 1, rows - 1))
        kept = 1 - F.max_pool2d(padded, self.size, stride=1)
        return x * (kept * (kept.numel() / kept.sum().clamp(min=1))).to(x.dtype)

    def extra_repr(self) -> str:
        return f"{self.size[0]}x{self.size[1]}, p={self.p:g}"


class Mixed(torch.autograd.Function):
    """The sum of branches of one shape, each times its share; their gradients have other shares.

    `shares` and `backward` are (N, number of branches).
    """

    @staticmethod
    def forward(
        ctx: Any,
        shares: Tensor,
        backward: Tensor,
        *branches: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(backward)
        numbered = enumerate(branches)
        return reduce(torch.add, [x * of_branch(shares, i, x) for i, x in numbered])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (shares,) = ctx.saved_tensors
        (whole,) = gradients
        numbers = range(shares.shape[1])
        return None, None, *[whole * of_branch(shares, i, whole) for i in numbers]


def mixed(shares: Tensor, backward: Tensor, branches: list[Tensor]) -> Tensor:
    """`Mixed` of branches whose shapes broadcast."""
    wide = torch.broadcast_tensors(*branches)  # type: ignore[no-untyped-call]
    # torch.compile takes no tensor twice, which two branches may be.
    y: Tensor = Mixed.apply(shares, backward, *(x.view_as(x) for x in wide))
    return y


def of_branch(shares: Tensor, branch: int, like: Tensor) -> Tensor:
    """The shares of a branch, so that they broadcast to `like`: (N, branches) -> (N, 1, ...)."""
    return shares[:, branch].to(like.dtype).view(-1, *[1] * (like.dim() - 1))


class ShakeDrop(Dropping):
    """During training, multiplies samples and their gradients by random factors with probability p."""

    def __init__(
        self,
        p: float,
        alpha: tuple[float, float],
        beta: tuple[float, float],
    ) -> None:
        super().__init__(p)
        self.alpha = alpha
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:
        if self.p == 0:
            return x
        if not self.training:
            return x * (1 - self.p + self.p * sum(self.alpha) / 2)
        drawn = torch.rand(x.shape[0], 3, device=x.device)
        is_shaken = drawn[:, :1] < self.p * self.factor
        ranges = ((drawn[:, 1:2], self.alpha), (drawn[:, 2:], self.beta))
        factors = (low + (high - low) * one for one, (low, high) in ranges)
        alpha, beta = (torch.where(is_shaken, one, 1.0) for one in factors)
        return mixed(alpha, beta, [x])

    def extra_repr(self) -> str:
        return f"p={self.p:g}, alpha={self.alpha}, beta={self.beta}"


class Shake(nn.Module):
    """The mean; during training, random mixes of the branches for each sample, and others of their gradients.

    Vectors, (N, C), are those of channels of images or of features of tokens.
    """

    def forward(self, *branches: Tensor) -> Tensor:
        inputs = aligned(branches)
        if not self.training:
            return reduce(torch.add, inputs) / len(inputs)
        forward, backward = (random_shares(inputs[0], len(inputs)) for _ in range(2))
        return mixed(forward, backward, inputs)


def random_shares(like: Tensor, count: int) -> Tensor:
    """For each sample of `like`, shares that add up to 1, uniform over all such shares: (N, count)."""
    cuts = torch.rand(like.shape[0], count - 1, device=like.device).sort(dim=1).values
    return torch.diff(F.pad(F.pad(cuts, (1, 0)), (0, 1), value=1.0), dim=1)


class MeanOfSome(Dropping):
    """The mean; during training, that of the branches that are left after each is dropped with probability p.

    The branch that draws the largest number is always left. Vectors, (N, C), are those of channels of images or of
    features of tokens.
    """

    def forward(self, *branches: Tensor) -> Tensor:
        inputs = aligned(branches)
        if not self.training:
            return reduce(torch.add, inputs) / len(inputs)
        drawn = torch.rand(inputs[0].shape[0], len(inputs), device=inputs[0].device)
        is_kept = self.kept(drawn)
        shares = is_kept / is_kept.sum(1, keepdim=True)
        # torch.compile takes no tensor twice.
        return mixed(shares, shares.clone(), inputs)

    def kept(self, drawn: Tensor) -> Tensor:
        """Which branches of each sample are left, by the numbers drawn for them: (N, branches)."""
        return (drawn >= self.p * self.factor) | (drawn == drawn.amax(1, keepdim=True))


class MeanOfColumns(MeanOfSome):
    """`MeanOfSome`, or the branch of one column alone, the same one in a whole network.

    The training sets `column` before each step, for a fraction `global_share` of them: columns are branches counted
    from the last one. Without it, or where no branch is of this column, branches are dropped as usual.
    """

    def __init__(self, p: float, global_share: float, branches: int) -> None:
        super().__init__(p)
        self.global_share = global_share
        self.branches = branches
        self.column: float | Tensor = -1  # no branch's

    def kept(self, drawn: Tensor) -> Tensor:
        columns = torch.arange(self.branches - 1, -1, -1, device=drawn.device)
        is_alone = columns == self.column
        return torch.where(is_alone.any(), is_alone, super().kept(drawn))

    def extra_repr(self) -> str:
        return f"p={self.p:g}, global_share={self.global_share:g}"


class StochasticPool(nn.Module):
    """During training, a random positive element of each window, the larger the likelier; else their weighted mean.

    (N, C, H, W) -> (N, C, H', W'). `padding` is that on the left, on the right, above and below.
    """

    def __init__(
        self,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int, int, int],
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        (height, width), (down, right) = self.kernel_size, self.stride
        weights = F.pad(x.detach() if self.training else x, self.padding).clamp(min=0)
        windows = weights.unfold(2, height, down).unfold(3, width, right)
        windows = windows.flatten(4)  # (N, C, H', W', elements)
        if not self.training:
            total = windows.sum(-1, keepdim=True)
            return (windows * (windows / torch.where(total > 0, total, 1.0))).sum(-1)
        sums = windows.float().cumsum(-1)
        drawn = torch.rand(sums.shape[:-1], device=x.device)[..., None]
        number = (sums <= drawn * sums[..., -1:]).sum(-1).clamp(max=height * width - 1)
        left, _, top, _ = self.padding
        first_rows = torch.arange(number.shape[2], device=x.device) * down - top
        first_columns = torch.arange(number.shape[3], device=x.device) * right - left
        rows = first_rows[:, None] + number // width
        columns = first_columns + number % width
        rows, columns = rows.clamp(0, x.shape[2] - 1), columns.clamp(0, x.shape[3] - 1)
        place = rows * x.shape[3] + columns
        return x.flatten(2).gather(2, place.flatten(2)).view(place.shape).relu()

    def extra_repr(self) -> str:
        return f"{self.kernel_size}, stride={self.stride}, padding={self.padding}"


# By the key that a layer or join is lowered to.
MODULES: dict[str, type[nn.Module]] = {
    "drop_path": DropPath,
    "drop_block": DropBlock,
    "shake_drop": ShakeDrop,
    "shake": Shake,
    "mean_of_some": MeanOfSome,
    "mean_of_columns": MeanOfColumns,
    "stochastic_pool": StochasticPool,
}
