"""Batch norm with the activation behind it, compiled into common kernels by torch.compile.

Only these regions are compiled: convolutions and everything else run as always, and a recorded step holds the compiled
kernels like any others. docs/decisions/0116-fused-on-request.md
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

_TRIED = (2, 2, 4, 4)  # the size of the images on which compiling is tried
_LONGEST_REASON = 120


class NormThenActivation(nn.BatchNorm2d):
    """Batch norm, then an activation without parameters: (N, C, H, W), unchanged. Its tensors are those of the norm."""

    def __init__(self, activation: nn.Module, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        if self.momentum is None:  # while the statistics of averaged weights are recomputed
            averaged: Tensor = self.activation(super().forward(x))
            return averaged
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        statistics = (self.running_mean, self.running_var)
        region = _compiled()
        y: Tensor = region(
            self.activation, x, *statistics, self.weight, self.bias, self.training, self.momentum, self.eps
        )
        return y


def _region(
    activation: nn.Module,
    x: Tensor,
    mean: Tensor | None,
    variance: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    y: Tensor = activation(F.batch_norm(x, mean, variance, weight, bias, training, momentum, eps))
    return y


@cache
def _compiled() -> Any:
    return torch.compile(_region, dynamic=False, fullgraph=True)


@cache
def why_not_fused(device: torch.device) -> str | None:
    """The reason why regions can't be compiled for a device, found by trying; None if they can.

    The first call for a device takes seconds.
    """
    try:
        tried = NormThenActivation(nn.ReLU(), num_features=_TRIED[1]).to(device)
        with torch.inference_mode(mode=False), torch.enable_grad():
            tried(torch.ones(_TRIED, device=device)).sum().backward()
    except Exception as error:  # noqa: BLE001  # torch's compiler, C++ compilers and triton raise errors of any kind
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0] if lines else type(error).__name__
        return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
    return None


# By the key that a layer is lowered to.
MODULES: dict[str, type[nn.Module]] = {"norm_then_activation": NormThenActivation}
