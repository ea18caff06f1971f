"""A dataset's images in the device's memory, and normalized batches of them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.ir import Recipe, Standardization
from cifar_dsl.training.datasets.shares import share
from cifar_dsl.training.input_transform import InputTransform, Whitening, first_transform, fit_whitening, transformed

_CHUNK = 1000  # images


@define
class Images:
    """One split of a dataset on a device.

    A batch is (B, C, H, W) float32 in the channels_last layout, which follows from the storage order at no cost.
    """

    pixels: Tensor  # (N, H, W, C): uint8, 0 to 255; or float32, if they are normalised before augmentation
    labels: Tensor  # (N,) int64
    scale: Tensor  # (C,) float32: a normalized value is pixel * scale + offset; 1 for floats
    offset: Tensor  # (C,) float32; 0 for floats
    mean: Tensor  # (C,) float32, of the training images as they are in `pixels`
    class_images: tuple[int, ...] = ()  # the number of training images of each class
    rows: Tensor = field(init=False)  # (N * H * W, C): the pixels, one per row
    _scales: Tensor = field(init=False)  # (W, C): `scale` and `offset` for each pixel of a row, so that a CPU computes
    _offsets: Tensor = field(init=False)  # a row of W * C numbers with vector instructions, instead of C at a time

    def __attrs_post_init__(self) -> None:
        self.rows = self.pixels.flatten(0, 2)
        width = self.pixels.shape[2]
        self._scales, self._offsets = self.scale.repeat(width, 1), self.offset.repeat(width, 1)

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, index: Tensor) -> Tensor:
        """The stored images at `index`, (B,) int64: (B, H, W, C), as in `pixels`."""
        return self.pixels.index_select(0, index)

    def batch(self, index: Tensor) -> Tensor:
        """The normalized images at `index`, (B,) int64: (B, C, H, W) float32."""
        return self.normalized(self.at(index))

    def normalized(self, values: Tensor) -> Tensor:
        """(B, H, W, C), as in `pixels` -> (B, C, H, W) float32, normalized."""
        return normalized(values, self._scales, self._offsets)


@frozen
class Splits:
    """The splits of a dataset that a recipe uses. `validation` holds the training images that are held out."""

    train: Images
    test: Images
    validation: Images | None = None


Arrays = tuple[NDArray[np.uint8], NDArray[np.int64]]  # images (N, H, W, C) and labels (N,)


def load_images(
    recipe: Recipe,
    train: Arrays,
    test: Arrays,
    device: torch.device,
    measured: Standardization | None = None,
    whitening: Whitening | None = None,
) -> Splits:
    """All splits on the device. `measured` and `whitening` are those of this recipe, if the caller has them."""
    trained, held = _split(recipe, train)
    class_images = tuple(np.bincount(trained[1]).tolist())
    if recipe.normalize.is_first:
        transform = first_transform(recipe.normalize, whitening or whitening_of(recipe, train)).to(device)
        stored: Callable[[NDArray[np.uint8]], Tensor] = partial(transformed, transform=transform, device=device)
        pixels = stored(trained[0])
        mean = pixels.mean((0, 1, 2))
        scale, offset = torch.ones_like(mean), torch.zeros_like(mean)
    else:
        measured = measured or measure(recipe, train)
        constants = normalization(recipe, measured)
        means = tuple(255 * channel for channel in measured.mean)
        scale, offset, mean = (
            torch.tensor(figures, device=device) for figures in (constants.scale, constants.offset, means)
        )
        stored = partial(_placed, device=device)
        pixels = stored(trained[0])

    def images_of(pixels: Tensor, labels: NDArray[np.int64]) -> Images:
        return Images(pixels, _placed(labels, device), scale, offset, mean, class_images)

    return Splits(
        images_of(pixels, trained[1]),
        images_of(stored(test[0]), test[1]),
        images_of(stored(held[0]), held[1]) if held else None,
    )


def normalized_images(images: Arrays, transform: InputTransform, device: torch.device) -> Images:
    """Images on the device that are normalized already, by `transform`, which is on the device."""
    pixels = transformed(images[0], transform, device)
    mean = pixels.mean((0, 1, 2))
    return Images(pixels, _placed(images[1], device), torch.ones_like(mean), torch.zeros_like(mean), mean)


def _placed(array: NDArray[Any], device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def whitening_of(recipe: Recipe, train: Arrays) -> Whitening | None:
    """The whitening of the training images, without those that the recipe holds out; None if it doesn't whiten."""
    if not recipe.normalize.is_whitening:
        return None
    (images, _), _ = _split(recipe, train)
    return fit_whitening(recipe.normalize, images)


def measure(recipe: Recipe, train: Arrays) -> Standardization:
    """Mean and standard deviation of the training images, without those that the recipe holds out.

    The standard deviation of a constant channel is 1 here, so that the channel becomes 0.
    """
    (images, _), _ = _split(recipe, train)
    return _statistics(images)


def normalization(recipe: Recipe, measured: Standardization) -> Standardization:
    """The recipe's normalization of images with these measured statistics."""
    return recipe.normalize.standardization(len(measured.mean)) or measured


def normalized(values: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """Values (B, H, W, C) times `scale` plus `offset`, (C,) or (W, C) each, as network inputs: (B, C, H, W) float32."""
    return torch.addcmul(offset, values.to(torch.float32), scale).permute(0, 3, 1, 2)


def _split(recipe: Recipe, train: Arrays) -> tuple[Arrays, Arrays | None]:
    """The images to train with, and those to hold out."""
    if not recipe.validation:
        return train, None
    images, labels = train
    is_held_out = share(labels, recipe.validation, "validation")
    return (images[~is_held_out], labels[~is_held_out]), (images[is_held_out], labels[is_held_out])


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
