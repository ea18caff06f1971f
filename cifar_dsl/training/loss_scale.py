"""Dynamic loss scaling: a factor on the loss that keeps small float16 gradients from becoming zero."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

_INITIAL = 2.0**16
_MAXIMUM = 2.0**24
_GROWTH_INTERVAL = 2000  # steps with finite gradients before the factor doubles


class LossScale:
    """A dynamic factor on the loss; Micikevicius et al. 2017, https://arxiv.org/abs/1710.03740, section 3.2.

    The factor halves when a gradient is NaN or infinite, and doubles after many finite steps. It is a power of two, so
    scaling loses no digits. The factor stays on the device, so that no step waits for it.
    """

    def __init__(self, device: torch.device) -> None:
        self._factor = torch.full((), _INITIAL, device=device)
        self._steps = torch.zeros((), dtype=torch.int64, device=device)  # since the last change of the factor

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss times the factor, for the backward pass."""
        return loss * self._factor

    @property
    def factor(self) -> Tensor:
        """The factor: () float32 on the device."""
        return self._factor

    @torch.no_grad()
    def unscale(self, parameters: Iterable[nn.Parameter]) -> Tensor:
        """Divide the gradients by the factor, in place. Returns whether the optimizer may step: () bool on the device.

        It may not if a gradient is NaN or infinite, except at a factor of 1. The factor isn't the cause then, so the
        step makes the divergence visible.
        """
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        for gradient in gradients:
            gradient.div_(self._factor)
        is_finite = torch.nn.utils.get_total_norm(gradients).isfinite()
        is_allowed = is_finite | (self._factor <= 1)
        self._steps.add_(1).mul_(is_finite)
        grows = self._steps >= _GROWTH_INTERVAL
        self._factor.mul_(torch.where(is_finite, 1.0 + grows, 0.5)).clamp_(1, _MAXIMUM)
        self._steps.mul_(~grows)
        return is_allowed

    def state(self) -> dict[str, Tensor]:
        """The tensors to save in a checkpoint."""
        return {"factor": self._factor, "steps": self._steps}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self._factor.copy_(state["factor"])
        self._steps.copy_(state["steps"])
