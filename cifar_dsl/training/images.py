"""A data set's images in the device's memory, and batches of them as the network sees them."""

import numpy as np
import torch
from attrs import define, field
from numpy.typing import NDArray
from torch import Tensor

from cifar_dsl.ir import Recipe
from cifar_dsl.recipes import NORMALIZATIONS


@define
class Images:
    """One split of a data set on a device.

    `pixels` is (N, H, W, C) uint8 and `labels` (N,) int64; a batch is (B, C, H, W) float32 in the
    channels_last layout, which the storage order gives for free. `scale` and `offset` are (C,), and so is
    `mean`: that of the training images, from 0 to 255. `rows` are the pixels, (N * H * W, C).
    """

    pixels: Tensor
    labels: Tensor
    scale: Tensor
    offset: Tensor
    mean: Tensor
    rows: Tensor = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rows = self.pixels.flatten(0, 2)

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, index: Tensor) -> Tensor:
        """The images at `index`, (B,) int64, as they are stored."""
        return self.pixels.index_select(0, index)

    def batch(self, index: Tensor) -> Tensor:
        """The images at `index`, (B,) int64, normalised."""
        return self.normalized(self.at(index))

    def normalized(self, values: Tensor) -> Tensor:
        """(B, H, W, C), from 0 to 255 -> (B, C, H, W), as the network sees it."""
        return torch.addcmul(self.offset, values.to(torch.float32), self.scale).permute(0, 3, 1, 2)


def load_images(
    recipe: Recipe,
    train: tuple[NDArray[np.uint8], NDArray[np.int64]],
    test: tuple[NDArray[np.uint8], NDArray[np.int64]],
    device: torch.device,
) -> tuple[Images, Images]:
    """Both splits on the device. The normalisation is measured on the training images alone."""
    mean, std = _statistics(train[0])
    scale, offset = NORMALIZATIONS.of(recipe.normalize).affine(mean, std)
    means = tuple(255 * channel for channel in mean)
    constants = [torch.tensor(figures, device=device) for figures in (scale, offset, means)]

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
