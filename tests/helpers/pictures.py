"""Small random datasets on the CPU, and real pictures."""

import os

import numpy as np
import torch

from cifar_dsl.training.datasets import load_dataset
from cifar_dsl.training.images import Images

HEIGHT, WIDTH = 7, 6
MEAN = torch.tensor([100.5, 20.25, 30.0])


def images(count: int = 40, *, height: int = HEIGHT, width: int = WIDTH, classes: int = 10) -> Images:
    """Random images (N, H, W, 3) without a 0, so that blank pixels stand out; normalization is the identity."""
    random = np.random.default_rng(0)
    pixels = torch.from_numpy(random.integers(1, 256, (count, height, width, 3), np.uint8))
    labels = torch.from_numpy(random.integers(0, classes, count))
    return Images(pixels, labels, torch.ones(3), torch.zeros(3), MEAN)


def real_pictures() -> dict[str, np.ndarray]:
    """`x_train`, `y_train`, `x_test` and `y_test` of the file $CIFAR_DSL_TEST_NPZ, or else of shapes."""
    splits = ("x_train", "y_train", "x_test", "y_test")
    named = os.environ.get("CIFAR_DSL_TEST_NPZ")
    if named:
        with np.load(named) as arrays:
            return {name: arrays[name] for name in splits}
    return {name: getattr(load_dataset("shapes"), name) for name in splits}
