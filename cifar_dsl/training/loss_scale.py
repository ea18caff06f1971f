"""A factor on the loss, so that small gradients aren't lost where a network computes in float16."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

_FIRST = 2.0**16
_LARGEST = 2.0**24
_PATIENCE = 2000  # steps without a gradient that isn't finite, after which a larger factor is tried


class LossScale:
    """The factor; Micikevicius et al. 2017, https://arxiv.org/abs/1710.03740, section 3.2.

    It is halved whenever a gradient isn't finite, and doubled after many steps. It lies on the device, as does whether
    a step is allowed, so that no step waits for the device. Factors are powers of two, which lose no digits.
    """

    def __init__(self, device: torch.device) -> None:
        self._factor = torch.full((), _FIRST, device=device)
        self._steps = torch.zeros((), dtype=torch.int64, device=device)  # since the factor changed

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss whose gradients are worked out."""
        return loss * self._factor

    @torch.no_grad()
    def unscale(self, parameters: Iterable[nn.Parameter]) -> Tensor:
        """Make the gradients those of the loss itself; gives back whether the step is allowed, () bool.

        It isn't where a gradient is no finite number; but at a factor of 1 the factor isn't what it comes from, so the
        step is taken and the training seen to diverge.
        """
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        for gradient in gradients:
            gradient.div_(self._factor)
        is_finite = torch.nn.utils.get_total_norm(gradients).isfinite()
        is_allowed = is_finite | (self._factor <= 1)
        self._steps.add_(1).mul_(is_finite)
        is_over = self._steps >= _PATIENCE
        self._factor.mul_(torch.where(is_finite, 1.0 + is_over, 0.5)).clamp_(1, _LARGEST)
        self._steps.mul_(~is_over)
        return is_allowed

    def state(self) -> dict[str, Tensor]:
        """What the next steps depend on."""
        return {"factor": self._factor, "steps": self._steps}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self._factor.copy_(state["factor"])
        self._steps.copy_(state["steps"])
