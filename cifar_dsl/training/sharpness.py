"""Sharpness-aware minimization: gradients at perturbed weights. Nothing waits for the device."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from cifar_dsl.ir.recipe import Perturbation

_EPS = 1e-12  # added to the norm of the gradients, as by the published code


class Sam:
    """Moves weights by `rho` along their gradients; https://arxiv.org/abs/2010.01412, arithmetic of davda54/sam.

    With `adaptive`, distances are relative to the size of each weight; https://arxiv.org/abs/2102.11600.
    """

    def __init__(self, *, rho: float, adaptive: bool) -> None:
        self._rho = rho
        self._adaptive = adaptive

    @contextmanager
    def perturbed(
        self, module: nn.Module, parameters: Sequence[nn.Parameter], loss_scale: Tensor | float = 1.0
    ) -> Iterator[None]:
        """Within this context, the parameters are perturbed. Afterwards, they and all buffers have their old values.

        Their gradients must be those of the loss times `loss_scale`. Gradients that aren't finite make weights NaN,
        and so the gradients at these weights.
        """
        moved = [parameter for parameter in parameters if parameter.grad is not None]
        kept: list[Tensor] = [*moved, *module.buffers()]
        copies = [tensor.detach().clone() for tensor in kept]
        self._move(moved, loss_scale)
        yield
        with torch.no_grad():
            for tensor, copy in zip(kept, copies, strict=True):
                tensor.copy_(copy)

    @torch.no_grad()
    def _move(self, parameters: Sequence[nn.Parameter], loss_scale: Tensor | float) -> None:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        sized = [p.abs() * g for p, g in zip(parameters, gradients, strict=True)] if self._adaptive else gradients
        factor = self._rho / (torch.nn.utils.get_total_norm(sized) + _EPS * loss_scale)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.add_((parameter.square() * gradient if self._adaptive else gradient) * factor)


def make_sam(declared: Perturbation) -> Sam | None:
    """The perturbation that a recipe declares; None for none."""
    return Sam(**declared.arguments()) if declared.name == "sam" else None
