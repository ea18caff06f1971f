"""A data set's images in the device's memory, and batches of them as the network sees them."""

import numpy as np
import torch
from attrs import define, field
from numpy.typing import NDArray
from torch import Tensor

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Recipe
from cifar_dsl.training import draws

_COUNTED_TOGETHER = 1000  # images


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


@frozen
class Splits:
    """The images of a data set as a recipe uses them; `validation` are training images that are not trained on."""

    train: Images
    test: Images
    validation: Images | None = None


def load_images(
    recipe: Recipe,
    train: tuple[NDArray[np.uint8], NDArray[np.int64]],
    test: tuple[NDArray[np.uint8], NDArray[np.int64]],
    device: torch.device,
) -> Splits:
    """All splits on the device. The normalisation is measured on the images that are trained on."""
    is_held_out = held_out(train[1], recipe.validation)
    trained = (train[0][~is_held_out], train[1][~is_held_out]) if recipe.validation else train
    mean, std = _statistics(trained[0])
    scale, offset = recipe.normalize.affine(mean, std)
    means = tuple(255 * channel for channel in mean)
    constants = [torch.tensor(figures, device=device) for figures in (scale, offset, means)]

    def move(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Images:
        pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device)
        return Images(pixels, torch.from_numpy(np.ascontiguousarray(labels)).to(device), *constants)

    validation = move(train[0][is_held_out], train[1][is_held_out]) if recipe.validation else None
    return Splits(move(*trained), move(*test), validation)


def held_out(labels: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Which training images are for validation, (N,): the same for every seed, and of each class an even share."""
    scattered = np.argsort(
        draws.hashed(draws.key(0, 0, "validation"), torch.arange(len(labels))).numpy(), kind="stable"
    )
    share = np.empty(len(labels))  # which part of its class comes before an image
    for label in np.unique(labels):
        members = scattered[labels[scattered] == label]
        share[members] = (np.arange(len(members)) + 0.5) / len(members)
    chosen = scattered[np.argsort(share[scattered], kind="stable")[:count]]
    is_held_out = np.zeros(len(labels), dtype=bool)
    is_held_out[chosen] = True
    return is_held_out


def _statistics(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel over images (N, H, W, C), with values from 0 to 1.

    Exact sums of integers, so that they depend on no order of summation.
    """
    values = np.arange(256, dtype=np.int64)
    means, deviations = [], []
    for channel in range(images.shape[-1]):
        counts = np.zeros(256, dtype=np.int64)
        for start in range(0, len(images), _COUNTED_TOGETHER):  # in parts: to count, numpy makes 8 bytes of each
            part = images[start : start + _COUNTED_TOGETHER, ..., channel]
            counts += np.bincount(part.ravel(), minlength=256)
        total = int(counts.sum())
        mean = int((counts * values).sum()) / total
        square = int((counts * values**2).sum()) / total
        means.append(mean / 255)
        deviations.append(max(0.0, square - mean**2) ** 0.5 / 255)
    return tuple(means), tuple(deviations)
