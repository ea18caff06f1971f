"""Losses that torch lacks, or has only for class probabilities.

Targets are labels, (N,) int64, or the share of each class, (N, classes) float32.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """(...,) int64 -> (..., classes) float32; unlike torch's function, it never waits for the device."""
    return (labels[..., None] == torch.arange(classes, device=labels.device)).to(torch.float32)


class _Loss(nn.Module):
    """A loss per image, reduced over the batch: scores (N, classes) and targets -> ()."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        shares = targets if targets.is_floating_point() else one_hot(targets, scores.shape[1])
        losses = self.per_image(scores.float(), shares)
        return losses.sum() if self.reduction == "sum" else losses.mean()

    def per_image(self, scores: Tensor, shares: Tensor) -> Tensor:
        """The loss of each image: scores and shares (N, classes) -> (N,)."""
        raise NotImplementedError(type(self).__name__)


class MseLoss(_Loss):
    """Mean squared error between scores and shares, over the classes."""

    def per_image(self, scores: Tensor, shares: Tensor) -> Tensor:
        return F.mse_loss(scores, shares, reduction="none").mean(1)


class BceLoss(_Loss):
    """Mean binary cross-entropy over the classes."""

    def per_image(self, scores: Tensor, shares: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(scores, shares, reduction="none").mean(1)


class FocalLoss(_Loss):
    """Cross-entropy weighted by (1 - p)^gamma, where p is the probability of the class."""

    def __init__(self, gamma: float, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.gamma = gamma

    def per_image(self, scores: Tensor, shares: Tensor) -> Tensor:
        log_p = F.log_softmax(scores, dim=1)
        # 1 - p may round to 0, where a power below 1 has no finite derivative.
        weight = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny) ** self.gamma
        return -(shares * weight * log_p).sum(1)


# By the key that a loss is lowered to.
LOSS_MODULES: dict[str, type[nn.Module]] = {"mse": MseLoss, "bce": BceLoss, "focal": FocalLoss}
