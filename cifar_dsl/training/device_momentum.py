"""SGD and Adam with a momentum that is a tensor on the device, which a recorded step changes.

Torch's classes read the momentum on the host, or keep the number that they had when the step was recorded. The states
have torch's names and meaning, so a checkpoint fits both.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

Params = Iterable[Tensor] | Iterable[dict[str, Any]]
_TINY = 1e-300  # in place of 0, which has no logarithm


class DeviceSgd(torch.optim.Optimizer):
    """torch.optim.SGD; `lr` and `momentum` may be tensors, () float32."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor,
        momentum: float | Tensor,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                gradient = _with_penalty(weight, weight.grad, group["weight_decay"])
                state = self.state[weight]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(gradient)
                buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
                direction = gradient + buffer * group["momentum"] if group["nesterov"] else buffer
                weight.sub_(direction * group["lr"])


class DeviceAdam(torch.optim.Optimizer):
    """torch.optim.Adam; `lr` and the first of `betas` may be tensors, () float32."""

    decouples_decay = False

    def __init__(
        self,
        params: Params,
        lr: float | Tensor,
        betas: tuple[float | Tensor, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        # With this key, `load_state_dict` moves the step counter to the device, where a recorded step finds it.
        super().__init__(params, defaults | {"capturable": True})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._step(weight, weight.grad, group)

    def _step(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        lr, (beta_1, beta_2) = group["lr"], group["betas"]
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=weight.device)
            state["exp_avg"] = torch.zeros_like(gradient)
            state["exp_avg_sq"] = torch.zeros_like(gradient)
        if self.decouples_decay:
            weight.mul_(1 - lr * group["weight_decay"])
        else:
            gradient = _with_penalty(weight, gradient, group["weight_decay"])
        state["step"] += 1
        state["exp_avg"].lerp_(gradient, 1 - beta_1)
        state["exp_avg_sq"].mul_(beta_2).addcmul_(gradient, gradient, value=1 - beta_2)
        mean = state["exp_avg"] / _not_decayed(beta_1, state["step"])
        square = state["exp_avg_sq"] / _not_decayed(beta_2, state["step"])
        weight.sub_(lr * mean / square.sqrt().add_(group["eps"]))


class DeviceAdamW(DeviceAdam):
    """torch.optim.AdamW; `lr` and the first of `betas` may be tensors, () float32."""

    decouples_decay = True


def _with_penalty(weight: Tensor, gradient: Tensor, weight_decay: float) -> Tensor:
    """The gradient of the loss with an L2 penalty."""
    return gradient.add(weight, alpha=weight_decay) if weight_decay else gradient


def _not_decayed(beta: float | Tensor, step: Tensor) -> Tensor:
    """1 - beta^step, which loses no digits where beta is close to 1."""
    log = beta.log() if isinstance(beta, Tensor) else math.log(max(beta, _TINY))
    return -torch.expm1(step * log)


# By the torch class that each replaces.
DEVICE_CLASSES: dict[str, type[torch.optim.Optimizer]] = {
    "torch.optim.SGD": DeviceSgd,
    "torch.optim.Adam": DeviceAdam,
    "torch.optim.AdamW": DeviceAdamW,
}
