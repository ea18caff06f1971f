"""A data set's images in the device's memory, and batches of them as the network sees them."""

import numpy as np
import torch
from attrs import define, field
from numpy.typing import NDArray
from torch import Tensor

from cifar_dsl.ir import Call, Recipe
from cifar_dsl.recipes import NORMALIZATIONS
from cifar_dsl.training.augmentation import BLANK, source_map


@define
class Images:
    """One split of a data set on a device.

    `pixels` is (N, H, W, C) uint8 and `labels` (N,) int64; a batch is (B, C, H, W) float32 in the
    channels_last layout, which the storage order gives for free. `scale` and `offset` are (C,).
    """

    pixels: Tensor
    labels: Tensor
    scale: Tensor
    offset: Tensor
    _rows: Tensor = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rows = self.pixels.flatten(0, 2)  # (N * H * W, C): one row a pixel

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor) -> Tensor:
        """The images at `index`, (B,) int64, normalised."""
        return self._normalized(self.pixels.index_select(0, index))

    def augmented(self, index: Tensor, augmentations: tuple[Call, ...], seed: int, epoch: int) -> Tensor:
        """The images at `index`, changed at random as the recipe says, normalised."""
        if not augmentations:
            return self.batch(index)
        _, height, width, channels = self.pixels.shape
        source = source_map(augmentations, index, seed, epoch, height, width)
        is_blank = source == BLANK
        rows = source.clamp(min=0) + (index * (height * width))[:, None, None]
        gathered = self._rows.index_select(0, rows.flatten()).view(len(index), height, width, channels)
        return self._normalized(gathered.masked_fill(is_blank[..., None], 0))

    def _normalized(self, pixels: Tensor) -> Tensor:
        return torch.addcmul(self.offset, pixels.to(torch.float32), self.scale).permute(0, 3, 1, 2)


def load_images(
    recipe: Recipe,
    train: tuple[NDArray[np.uint8], NDArray[np.int64]],
    test: tuple[NDArray[np.uint8], NDArray[np.int64]],
    device: torch.device,
) -> tuple[Images, Images]:
    """Both splits on the device. The normalisation is measured on the training images alone."""
    mean, std = _statistics(train[0])
    scale, offset = NORMALIZATIONS.of(recipe.normalize).affine(mean, std)
    constants = torch.tensor(scale, device=device), torch.tensor(offset, device=device)

    def move(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Images:
        pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device)
        return Images(pixels, torch.from_numpy(np.ascontiguousarray(labels)).to(device), *constants)

    return move(*train), move(*test)


def _statistics(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel over images (N, H, W, C), with values from 0 to 1.

    Exact sums of integers, so that they depend on no order of summation.
    """
    values = np.arange(256, dtype=np.int64)
    means, deviations = [], []
    for channel in range(images.shape[-1]):
        counts = np.bincount(images[..., channel].ravel(), minlength=256)
        total = int(counts.sum())
        mean = int((counts * values).sum()) / total
        square = int((counts * values**2).sum()) / total
        means.append(mean / 255)
        deviations.append(max(0.0, square - mean**2) ** 0.5 / 255)
    return tuple(means), tuple(deviations)
