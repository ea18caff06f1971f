"""Selection of training images: the hardest of each batch, or those that the run of another network chose."""

from collections.abc import Mapping

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from cifar_dsl.ir.recipe import Keeping
from cifar_dsl.training.artifacts import KEPT, SelectionFile
from cifar_dsl.training.plan import Plan


class Chooser:
    """The images of each batch with the largest losses, which it notes: a bit for each image and epoch.

    An epoch shows an image at most once, so its bits say which of a batch were chosen, whatever the order.
    """

    def __init__(self, keep: Keeping, plan: Plan, epochs_before: int, device: torch.device) -> None:
        self._keep, self._epochs_before = keep, epochs_before
        self._chosen = torch.zeros(plan.images, dtype=torch.bool, device=device)  # in this epoch
        rows = plan.epochs_begun - epochs_before
        self._noted = torch.zeros(rows, (plan.images + 7) // 8, dtype=torch.uint8)  # of each finished epoch
        self._of_step: list[Tensor] = []

    def begin_epoch(self) -> None:
        """Begin an epoch with its first step."""
        self._chosen.zero_()

    def begin_step(self) -> None:
        """Forget the choice of the last step."""
        self._of_step.clear()

    def kept(self, batch: int, losses: Tensor, index: Tensor) -> Tensor:
        """The places in a batch of the images that are kept, for the losses (N,) of the images at `index`, (N,): (K,).

        Of equal losses, the first is kept; one that isn't a number is the largest. A further pass over the same `batch`
        of the step keeps the same images.
        """
        if batch == len(self._of_step):
            order = losses.detach().sort(descending=True, stable=True).indices
            kept = order[: self._keep.kept_of(len(losses))]
            self._chosen.index_fill_(0, index.index_select(0, kept), value=True)
            self._of_step.append(kept)
        return self._of_step[batch]

    def end_epoch(self, epoch: int) -> None:
        """Note the choice of an epoch. Waits for the device."""
        bits = np.packbits(self._chosen.cpu().numpy(), bitorder="little")
        self._noted[epoch - 1 - self._epochs_before] = torch.from_numpy(bits)

    def content(self, epochs: int) -> bytes:
        """The file with the choice of this many finished epochs, which `SelectionFile` describes."""
        return save({KEPT: self._noted[:epochs].contiguous()})

    def state(self) -> dict[str, Tensor]:
        """The tensors to save in a checkpoint."""
        return {"chosen": self._chosen, "noted": self._noted}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])


class Selected:
    """The images that the run of another network chose, which several seeds can share.

    `seed` is that of the run: it decides the order of the images, and their augmentation. `share` is the part of each
    batch that was chosen.
    """

    def __init__(self, file: SelectionFile) -> None:
        self.seed, self.share = file.run.seed, file.share
        self._kept = np.frombuffer(file.kept, np.uint8).reshape(file.epochs, -1)

    def of(self, order: Tensor, epoch: int) -> Tensor:
        """The chosen ones of the images of an epoch, in their order: (N,) int64 -> (K,) int64."""
        chosen = np.unpackbits(self._kept[epoch - 1], bitorder="little").astype(bool)
        return order[torch.from_numpy(chosen)[order]]
