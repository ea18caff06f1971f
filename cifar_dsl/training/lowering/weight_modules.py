"""Layers that use a function of their weight, and these functions.

A function gets a matrix of one row for each output, of a convolution (F, C * h * w), and the tensors that it has beside
the weight, which the layer owns. It computes in the precision of the weight: none of its sums is a product of matrices,
which autocast would run in half precision.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

# ---- functions


class WeightFunction:
    """A function of a weight's rows, of the same size, and of `tensors` that belong to the layer."""

    def tensors(self, rows: Tensor, random: Any = None) -> dict[str, Tensor]:  # noqa: ARG002
        """The parameters and buffers beside the weight, with their initial values for the rows of the weight.

        `random` is a generator of torch, or None.
        """
        return {}

    def advance(self, rows: Tensor, *tensors: Tensor) -> None:
        """Change the buffers, before a use in training."""

    def of(self, rows: Tensor, *tensors: Tensor) -> Tensor:
        """The function of the rows."""
        raise NotImplementedError


class Standardized(WeightFunction):
    """Rows with mean 0 and variance 1."""

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def of(self, rows: Tensor, *_: Tensor) -> Tensor:
        return F.layer_norm(rows, rows.shape[1:], eps=self.eps)


class Scaled(WeightFunction):
    """Rows with mean 0 and standard deviation gain * gamma / sqrt(fan-in), with a learned gain for each."""

    def __init__(self, gamma: float, eps: float) -> None:
        self.gamma = gamma
        self.eps = eps

    def tensors(self, rows: Tensor, random: Any = None) -> dict[str, Tensor]:  # noqa: ARG002
        return {"gain": nn.Parameter(torch.ones_like(rows[:, 0]))}

    def of(self, rows: Tensor, *tensors: Tensor) -> Tensor:
        (gain,) = tensors
        factor: float = self.gamma * rows.shape[1] ** -0.5
        standardized = F.layer_norm(rows, rows.shape[1:], eps=self.eps)
        return standardized * (gain[:, None] * factor)


class Normalized(WeightFunction):
    """Rows of length 1."""

    def of(self, rows: Tensor, *_: Tensor) -> Tensor:
        return F.normalize(rows)


class WeightNorm(WeightFunction):
    """Rows of a learned length, at first that of the weight's rows."""

    def tensors(self, rows: Tensor, random: Any = None) -> dict[str, Tensor]:  # noqa: ARG002
        return {"gain": nn.Parameter(rows.norm(dim=1))}

    def of(self, rows: Tensor, *tensors: Tensor) -> Tensor:
        (gain,) = tensors
        return F.normalize(rows) * gain[:, None]


class Spectral(WeightFunction):
    """A matrix divided by an estimate of its largest singular value, which each use in training improves."""

    def tensors(self, rows: Tensor, random: Any = None) -> dict[str, Tensor]:
        left, right = torch.empty_like(rows[:, 0]), torch.empty_like(rows[0])
        # On meta tensors, torch would import its compiler, which takes seconds.
        if not rows.is_meta:
            right.normal_(generator=random)
            for _ in range(15):
                self.advance(rows, left, right)
        return {"left": left, "right": right}

    def advance(self, rows: Tensor, *tensors: Tensor) -> None:
        left, right = tensors
        left.copy_(F.normalize((rows * right).sum(1), dim=0))
        right.copy_(F.normalize((rows * left[:, None]).sum(0), dim=0))

    def of(self, rows: Tensor, *tensors: Tensor) -> Tensor:
        # Another use may change them before the backward pass.
        left, right = (one.clone() for one in tensors)
        return rows / ((rows * right).sum(1) * left).sum()


class Capped(WeightFunction):
    """Rows that are longer than a bound, scaled to that length."""

    def __init__(self, most: float) -> None:
        self.most = most

    def of(self, rows: Tensor, *_: Tensor) -> Tensor:
        norms = rows.norm(dim=1, keepdim=True)
        factors: Tensor = self.most / norms.clamp(min=self.most)
        return rows * factors


# ---- layers


class OfWeight(nn.Module):
    """A layer that uses a function of its weight, and owns the function's tensors."""

    weight: Tensor
    function: WeightFunction

    def add_function(self, function: WeightFunction) -> None:
        """Set the function, and add its tensors to those of the layer."""
        self.function = function
        tensors = function.tensors(self.rows().detach())
        self.names = tuple(tensors)
        for name, tensor in tensors.items():
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(name, tensor)
            else:
                self.register_buffer(name, tensor)

    @torch.no_grad()
    def start(self, random: torch.Generator | None = None) -> None:
        """Set the function's tensors to their initial values, for the weight as it is."""
        initial = self.function.tensors(self.rows(), random)
        for name, tensor in zip(self.names, self.tensors(), strict=True):
            tensor.copy_(initial[name])

    def tensors(self) -> list[Tensor]:
        """The function's tensors."""
        own: dict[str, Tensor] = dict(self.named_parameters(recurse=False))
        own |= dict(self.named_buffers(recurse=False))
        return [own[name] for name in self.names]

    def rows(self) -> Tensor:
        """The stored weight as a matrix of one row for each output."""
        return self.weight.flatten(1)

    def used_weight(self) -> Tensor:
        """The function of the weight, in the weight's shape."""
        rows, tensors = self.rows(), self.tensors()
        if self.training:
            with torch.no_grad():
                self.function.advance(rows, *tensors)
        return self.from_rows(self.function.of(rows, *tensors))

    def from_rows(self, rows: Tensor) -> Tensor:
        """Rows as `rows` has them, in the weight's shape."""
        return rows.reshape(self.weight.shape)


class Conv2dOfWeight(nn.Conv2d, OfWeight):
    """A convolution with a function of its filters."""

    def __init__(self, function: WeightFunction, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.add_function(function)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self._conv_forward(x, self.used_weight(), self.bias)
        return y


class ConvTranspose2dOfWeight(nn.ConvTranspose2d, OfWeight):
    """A transposed convolution with a function of its filters: a row holds those of one output channel."""

    def __init__(self, function: WeightFunction, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.add_function(function)

    def rows(self) -> Tensor:
        # (groups, C / groups, F / groups, h, w)
        of_groups = torch.unflatten(self.weight, 0, (self.groups, -1))
        return of_groups.transpose(1, 2).flatten(0, 1).flatten(1)

    def from_rows(self, rows: Tensor) -> Tensor:
        filters = torch.unflatten(rows, 1, (-1, *self.kernel_size))
        of_groups = torch.unflatten(filters, 0, (self.groups, -1))
        return of_groups.transpose(1, 2).flatten(0, 1)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        assert isinstance(self.padding, tuple)
        return F.conv_transpose2d(
            x,
            self.used_weight(),
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )


class LinearOfWeight(nn.Linear, OfWeight):
    """A dense layer with a function of its weight."""

    def __init__(self, function: WeightFunction, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.add_function(function)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.used_weight(), self.bias)


class PatchesOfWeight(Conv2dOfWeight):
    """Maps each patch of an image to a token, with a function of the weight: (N, C, H, W) -> (N, T, D)."""

    def __init__(
        self,
        function: WeightFunction,
        channels: int,
        features: int,
        size: tuple[int, int],
        bias: bool,
    ) -> None:
        super().__init__(function, channels, features, size, stride=size, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).flatten(2).transpose(1, 2)


# By the key that a layer is lowered to, and that of a function.
MODULES: dict[str, type[nn.Module]] = {
    "conv_of_weight": Conv2dOfWeight,
    "conv_transpose_of_weight": ConvTranspose2dOfWeight,
    "linear_of_weight": LinearOfWeight,
    "patches_of_weight": PatchesOfWeight,
}
FUNCTIONS: dict[str, type[WeightFunction]] = {
    "standardized": Standardized,
    "scaled": Scaled,
    "normalized": Normalized,
    "weight_norm": WeightNorm,
    "spectral": Spectral,
    "capped": Capped,
}
