"""The loss of a recipe, its sum over an epoch, and the measures of exits."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cifar_dsl.ir import Lowering, Recipe, TrainedOutput
from cifar_dsl.training.images import Images
from cifar_dsl.training.losses import LOSS_MODULES
from cifar_dsl.training.lowering.torch_module import make


class Objective:
    """The recipe's loss, which training minimizes, for images with their labels on a device.

    `of_each`: whether it is the loss of each image, not yet reduced. `reduction` is then "none", else the recipe's.
    """

    def __init__(self, recipe: Recipe, images: Images, *, of_each: bool = False) -> None:
        lowering = recipe.loss.lower(images.class_images)
        self.reduction = "none" if of_each else recipe.loss.reduction
        if of_each:
            lowering = Lowering.to(lowering.target, **lowering.keywords() | {"reduction": "none"})
        self._function = make(lowering, LOSS_MODULES).to(images.labels.device)
        self._is_sum = recipe.loss.reduction == "sum"

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The batch's loss, () or (N,), by the `reduction`, for (N, classes) scores and labels or shares as targets."""
        return self._function(scores, targets)  # type: ignore[no-any-return]

    def reduced(self, losses: Tensor) -> Tensor:
        """The loss of images, (), as the recipe reduces it, for the loss of each: (N,)."""
        return losses.sum() if self._is_sum else losses.mean()

    def share(self, loss: Tensor, count: int, of: int) -> Tensor:
        """The part of a batch of `count` images in the loss of a step of `of` images, for the loss of the batch: ()."""
        return loss if self._is_sum or count == of else loss * (count / of)

    def total(self, loss: Tensor, count: int) -> Tensor:
        """The sum of the loss over a batch of `count` images: ()."""
        return loss if self._is_sum else loss * count


class ExitSums:
    """The losses and hits of exits over the images of an epoch so far. They stay on the device.

    The output's own loss isn't among them, since the network's is known.
    """

    def __init__(self, outputs: Sequence[TrainedOutput], device: torch.device) -> None:
        self._losses = new_sum(device).repeat(len(outputs))
        self._hits = torch.zeros(len(outputs), device=device, dtype=torch.int64)

    def clear(self) -> None:
        """Begin an epoch."""
        self._losses.zero_()
        self._hits.zero_()

    def add(self, losses: Sequence[Tensor], hits: Sequence[Tensor]) -> None:
        """Add the loss of each exit, summed over a batch, and its number of hits: () each."""
        if losses:
            self._losses += torch.stack([loss.detach() for loss in losses])
            self._hits += torch.stack(list(hits))

    def means(self, images: int) -> list[tuple[float, float]]:
        """Mean loss and accuracy of each exit over this number of images. Waits for the device."""
        pairs = zip(self._losses.tolist(), self._hits.tolist(), strict=True)
        return [(loss / images, hits / images) for loss, hits in pairs]

    def state(self) -> dict[str, Tensor]:
        """The tensors to save in a checkpoint; none without exits."""
        return {"losses": self._losses, "hits": self._hits} if len(self._hits) else {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])


def new_sum(device: torch.device) -> Tensor:
    """A zero to accumulate losses in: () float64, or float32 on MPS, which has no float64."""
    return torch.zeros((), device=device, dtype=torch.float32 if device.type == "mps" else torch.float64)
