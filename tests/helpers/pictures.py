"""Small random datasets on the CPU."""

import numpy as np
import torch

from cifar_dsl.training.images import Images

HEIGHT, WIDTH = 7, 6
MEAN = torch.tensor([100.5, 20.25, 30.0])


def images(count: int = 40, *, height: int = HEIGHT, width: int = WIDTH, classes: int = 10) -> Images:
    """Random images (N, H, W, 3) without a 0, so that blank pixels stand out; normalization is the identity."""
    random = np.random.default_rng(0)
    pixels = torch.from_numpy(random.integers(1, 256, (count, height, width, 3), np.uint8))
    labels = torch.from_numpy(random.integers(0, classes, count))
    return Images(pixels, labels, torch.ones(3), torch.zeros(3), MEAN)
