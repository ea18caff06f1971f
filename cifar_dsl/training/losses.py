"""Losses that torch lacks, or has only for class probabilities.

Targets are labels, (N,) int64, or the share of each class, (N, classes) float32.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """(...,) int64 -> (..., classes) float32; unlike torch's function, it never waits for the device."""
    return (labels[..., None] == torch.arange(classes, device=labels.device)).to(torch.float32)


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    """The mean or sum of losses (N,): (). With `none`, the losses themselves."""
    return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()


class _Loss(nn.Module):
    """A loss per image, reduced over the batch: scores (N, classes) and targets -> (), or (N,) unreduced."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        shares = targets if targets.is_floating_point() else one_hot(targets, scores.shape[1])
        losses = self.per_image(scores.float(), shares)
        return _reduced(losses, self.reduction)

    def per_image(self, scores: Tensor, shares: Tensor) -> Tensor:
        """The loss of each image: scores and shares (N, classes) -> (N,)."""
        raise NotImplementedError(type(self).__name__)


class _WeightedLoss(_Loss):
    """A loss with a factor for each class; the factor of further classes is 0, and without `weights` each is 1."""

    _weights: Tensor | None  # float32

    def __init__(self, reduction: str, weights: Sequence[float] | None) -> None:
        super().__init__(reduction)
        self.register_buffer("_weights", None if weights is None else torch.tensor(weights, dtype=torch.float32))

    def weights_of(self, scores: Tensor) -> Tensor | None:
        """The weights for scores (N, classes): (classes,)."""
        if self._weights is None:
            return None
        return F.pad(self._weights.to(scores.dtype), (0, scores.shape[1] - len(self._weights)))


class MseLoss(_Loss):
    """Mean squared error between scores and shares, over the classes."""

    def per_image(self, scores: Tensor, shares: Tensor) -> Tensor:
        return F.mse_loss(scores, shares, reduction="none").mean(1)


class BceLoss(_Loss):
    """Mean binary cross-entropy over the classes."""

    def per_image(self, scores: Tensor, shares: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(scores, shares, reduction="none").mean(1)


class WeightedCrossEntropyLoss(_WeightedLoss):
    """Cross-entropy with weights for the classes: the mean over the images, for labels as well as for shares."""

    def __init__(self, weights: Sequence[float], label_smoothing: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction, weights)
        self.label_smoothing = label_smoothing

    def per_image(self, scores: Tensor, shares: Tensor) -> Tensor:
        weights = self.weights_of(scores)
        return F.cross_entropy(scores, shares, weights, label_smoothing=self.label_smoothing, reduction="none")


class FocalLoss(_WeightedLoss):
    """Cross-entropy weighted by (1 - p)^gamma, where p is the probability of the class."""

    def __init__(self, gamma: float, reduction: str = "mean", weights: Sequence[float] | None = None) -> None:
        super().__init__(reduction, weights)
        self.gamma = gamma

    def per_image(self, scores: Tensor, shares: Tensor) -> Tensor:
        log_p = F.log_softmax(scores, dim=1)
        # 1 - p may round to 0, where a power below 1 has no finite derivative.
        factor = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny) ** self.gamma
        weights = self.weights_of(scores)
        return -((shares if weights is None else shares * weights) * factor * log_p).sum(1)


class _Distillation(nn.Module):
    """A loss per image, reduced over the batch: scores of student and teacher, (N, classes) each -> () or (N,)."""

    def __init__(self, reduction: str) -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, scores: Tensor, taught: Tensor) -> Tensor:
        losses = self.per_image(scores.float(), taught.float())
        return _reduced(losses, self.reduction)

    def per_image(self, scores: Tensor, taught: Tensor) -> Tensor:
        """The loss of each image: scores of student and teacher, (N, classes) each -> (N,)."""
        raise NotImplementedError(type(self).__name__)


class SoftDistillation(_Distillation):
    """T^2 * KL(teacher || student), of the probabilities at the temperature T."""

    def __init__(self, temperature: float, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.temperature = temperature

    def per_image(self, scores: Tensor, taught: Tensor) -> Tensor:
        log_p, log_q = (F.log_softmax(each / self.temperature, dim=1) for each in (scores, taught))
        return F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(1) * self.temperature**2


class HardDistillation(_Distillation):
    """Cross-entropy with the class that the teacher predicts."""

    def per_image(self, scores: Tensor, taught: Tensor) -> Tensor:
        return F.cross_entropy(scores, taught.argmax(1), reduction="none")


# By the key that a loss or a distillation is lowered to.
LOSS_MODULES: dict[str, type[nn.Module]] = {
    "mse": MseLoss,
    "bce": BceLoss,
    "focal": FocalLoss,
    "weighted_cross_entropy": WeightedCrossEntropyLoss,
}
DISTILLATION_MODULES: dict[str, type[nn.Module]] = {"soft": SoftDistillation, "hard": HardDistillation}
