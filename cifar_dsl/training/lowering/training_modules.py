"""Modules that take less time than torch's for the same numbers, when a network trains.

They have the same tensors by the same names. `Spec.build` and exports use the ordinary ones.
"""

from typing import Any

import torch
from torch import Tensor, nn

from cifar_dsl.foundation.records import frozen


def modules_for(device: torch.device) -> dict[str, type[nn.Module]]:
    """The modules that a device trains with, by the key or the name in torch that a layer is lowered to."""
    modules: dict[str, type[nn.Module]] = {"pooled_first": PooledFirst}
    if device.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX2":
        modules["torch.nn.Conv2d"] = SummedBiasConv2d
    return modules


class PooledFirst(nn.Module):
    """A pooling, then the activation that the spec has before it: (N, C, H, W) -> (N, C, H', W')."""

    def __init__(self, pooling: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.pooling = pooling
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.pooling(x))  # type: ignore[no-any-return]


class SummedBiasConv2d(nn.Conv2d):
    """A convolution that computes the gradient of its bias with a plain sum, which adds in another order.

    On a processor with AVX2, but without AVX-512, oneDNN takes longer for it: a backward pass from 32 to 3 channels of
    64 32x32 images took 5.6 ms with oneDNN's sum and 3.0 with this one (1x1), or 7.6 and 5.3 (3x3, one thread).
    """

    def forward(self, x: Tensor) -> Tensor:
        bias = self.bias
        if bias is None or not (torch.is_grad_enabled() and bias.requires_grad and _is_float32(x)):
            return super().forward(x)
        if isinstance(self.padding, str) or self.padding_mode != "zeros" or torch.compiler.is_compiling():
            return super().forward(x)
        window = _Window(self.stride, self.padding, self.dilation, self.groups)
        return _SummedBias.apply(x, self.weight, bias, window)  # type: ignore[no-any-return]


def _is_float32(x: Tensor) -> bool:
    """Whether a convolution of `x` computes in float32."""
    return x.dtype == torch.float32 and not torch.is_autocast_enabled(x.device.type)


@frozen
class _Window:
    """What a convolution takes besides tensors."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int


class _SummedBias(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, window: _Window) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.window = window
        return torch.conv2d(x, weight, bias, window.stride, window.padding, window.dilation, window.groups)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor, None]:
        x, weight = ctx.saved_tensors
        window: _Window = ctx.window
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            gradient,
            x,
            weight,
            None,
            window.stride,
            window.padding,
            window.dilation,
            False,  # not transposed
            (0, 0),
            window.groups,
            (*ctx.needs_input_grad[:2], False),
        )
        return of_x, of_weight, gradient.sum((0, 2, 3)), None
