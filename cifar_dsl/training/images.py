"""A dataset's images in the device's memory, and normalized batches of them."""

import numpy as np
import torch
from attrs import define, field
from numpy.typing import NDArray
from torch import Tensor

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Recipe
from cifar_dsl.training import draws

_CHUNK = 1000  # images


@define
class Images:
    """One split of a dataset on a device.

    A batch is (B, C, H, W) float32 in the channels_last layout, which follows from the storage order at no cost.
    """

    pixels: Tensor  # (N, H, W, C) uint8, 0 to 255
    labels: Tensor  # (N,) int64
    scale: Tensor  # (C,) float32: a normalized value is pixel * scale + offset
    offset: Tensor  # (C,) float32
    mean: Tensor  # (C,) float32, of the training images, 0 to 255
    rows: Tensor = field(init=False)  # (N * H * W, C) uint8: the pixels, one per row

    def __attrs_post_init__(self) -> None:
        self.rows = self.pixels.flatten(0, 2)

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, index: Tensor) -> Tensor:
        """The stored images at `index`, (B,) int64: (B, H, W, C) uint8."""
        return self.pixels.index_select(0, index)

    def batch(self, index: Tensor) -> Tensor:
        """The normalized images at `index`, (B,) int64: (B, C, H, W) float32."""
        return self.normalized(self.at(index))

    def normalized(self, values: Tensor) -> Tensor:
        """(B, H, W, C), 0 to 255 -> (B, C, H, W) float32, normalized."""
        return torch.addcmul(self.offset, values.to(torch.float32), self.scale).permute(0, 3, 1, 2)


@frozen
class Splits:
    """The splits of a dataset that a recipe uses. `validation` holds the training images that are held out."""

    train: Images
    test: Images
    validation: Images | None = None


def load_images(
    recipe: Recipe,
    train: tuple[NDArray[np.uint8], NDArray[np.int64]],
    test: tuple[NDArray[np.uint8], NDArray[np.int64]],
    device: torch.device,
) -> Splits:
    """All splits on the device. Normalization uses the statistics of the training images without the held-out ones."""
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
    """The mask of training images to hold out, (N,): the same for every seed, with an equal share of each class."""
    scattered = np.argsort(
        draws.hashed(draws.key(0, 0, "validation"), torch.arange(len(labels))).numpy(), kind="stable"
    )
    share = np.empty(len(labels))  # the fraction of its class that precedes an image
    for label in np.unique(labels):
        members = scattered[labels[scattered] == label]
        share[members] = (np.arange(len(members)) + 0.5) / len(members)
    chosen = scattered[np.argsort(share[scattered], kind="stable")[:count]]
    is_held_out = np.zeros(len(labels), dtype=bool)
    is_held_out[chosen] = True
    return is_held_out


def _statistics(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of images (N, H, W, C), on a scale from 0 to 1.

    Integer sums are exact, so the result doesn't depend on the order of summation.
    """
    values = np.arange(256, dtype=np.int64)
    means, deviations = [], []
    for channel in range(images.shape[-1]):
        counts = np.zeros(256, dtype=np.int64)
        for start in range(0, len(images), _CHUNK):  # np.bincount copies its input as int64
            part = images[start : start + _CHUNK, ..., channel]
            counts += np.bincount(part.ravel(), minlength=256)
        total = int(counts.sum())
        mean = int((counts * values).sum()) / total
        square = int((counts * values**2).sum()) / total
        means.append(mean / 255)
        deviations.append(max(0.0, square - mean**2) ** 0.5 / 255)
    return tuple(means), tuple(deviations)
