"""The Muon optimizer, for weights of two or more dimensions."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_EPS = 1e-7


class Muon(torch.optim.Optimizer):
    """Steps along the orthogonalized momentum; Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/.

    A weight (out, in, ...) is treated as the matrix (out, in * ...). torch.optim.Muon accepts only matrices, and scales
    the steps of tall ones.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float | Tensor,
        momentum: float = 0.95,
        nesterov: bool = True,
        steps: int = 5,
        weight_decay: float = 0.0,
        rescale: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
            "steps": steps,
            "weight_decay": weight_decay,
            "rescale": rescale,
        }
        super().__init__(params, defaults)
        if any(weight.dim() < 2 for group in self.param_groups for weight in group["params"]):
            raise ValueError("Muon requires tensors of two or more dimensions")

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._step(weight, weight.grad, group)

    def _step(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
        direction = gradient.add(buffer, alpha=group["momentum"]) if group["nesterov"] else buffer
        if group["rescale"]:
            weight.mul_(len(weight) ** 0.5 / weight.norm().clamp(min=_EPS))
        elif group["weight_decay"]:
            weight.mul_(1 - group["lr"] * group["weight_decay"])
        update = orthogonalized(direction.reshape(len(direction), -1), group["steps"])
        weight.sub_(update.view(weight.shape).to(weight.dtype) * group["lr"])  # lr may be a tensor


def orthogonalized(matrix: Tensor, steps: int) -> Tensor:
    """Move all singular values of a matrix close to 1, in bfloat16: U S V^T -> about U V^T.

    Each Newton-Schulz step applies s -> a s + b s^3 + c s^5 to every singular value s. With these coefficients, small
    values grow fast, but the result scatters around 1.
    """
    a, b, c = _COEFFICIENTS
    is_tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.bfloat16()
    x = x / (x.norm() + _EPS)  # no singular value is larger than 1
    if is_tall:
        x = x.mT  # which makes the products below smaller
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if is_tall else x
