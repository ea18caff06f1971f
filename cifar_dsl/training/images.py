"""A dataset's images in the device's memory, and normalized batches of them."""

import numpy as np
import torch
from attrs import define, field
from numpy.typing import NDArray
from torch import Tensor

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Recipe, Standardization
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
    class_images: tuple[int, ...] = ()  # the number of training images of each class
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


Arrays = tuple[NDArray[np.uint8], NDArray[np.int64]]  # images (N, H, W, C) and labels (N,)


def load_images(
    recipe: Recipe, train: Arrays, test: Arrays, device: torch.device, measured: Standardization | None = None
) -> Splits:
    """All splits on the device. `measured` is the result of `measure`, if the caller has it."""
    measured = measured or measure(recipe, train)
    trained, held = _split(recipe, train)
    constants = normalization(recipe, measured)
    means = tuple(255 * channel for channel in measured.mean)
    scale, offset, mean = (
        torch.tensor(figures, device=device) for figures in (constants.scale, constants.offset, means)
    )
    class_images = tuple(np.bincount(trained[1]).tolist())

    def move(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Images:
        pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device)
        placed = torch.from_numpy(np.ascontiguousarray(labels)).to(device)
        return Images(pixels, placed, scale, offset, mean, class_images)

    return Splits(move(*trained), move(*test), move(*held) if held else None)


def measure(recipe: Recipe, train: Arrays) -> Standardization:
    """Mean and standard deviation of the training images, without those that the recipe holds out.

    The standard deviation of a constant channel is 1 here, so that the channel becomes 0.
    """
    (images, _), _ = _split(recipe, train)
    return _statistics(images)


def normalization(recipe: Recipe, measured: Standardization) -> Standardization:
    """The recipe's normalization of images with these measured statistics."""
    return recipe.normalize.standardization(len(measured.mean)) or measured


def _split(recipe: Recipe, train: Arrays) -> tuple[Arrays, Arrays | None]:
    """The images to train with, and those to hold out."""
    if not recipe.validation:
        return train, None
    images, labels = train
    is_held_out = held_out(labels, recipe.validation)
    return (images[~is_held_out], labels[~is_held_out]), (images[is_held_out], labels[is_held_out])


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


def _statistics(images: NDArray[np.uint8]) -> Standardization:
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
        deviations.append(max(0.0, square - mean**2) ** 0.5 / 255 or 1.0)
    return Standardization(tuple(means), tuple(deviations))
