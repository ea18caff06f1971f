"""Test-time augmentation: images (N, C, H, W) -> scores (N, classes), over several views of each."""

from collections.abc import Callable

import torch
from torch import Tensor

from cifar_dsl.ir.recipe import Views
from cifar_dsl.training.augmentation.moves import reflected

Score = Callable[[Tensor], Tensor]


def with_views(score: Score, chain: tuple[Views, ...]) -> Score:
    """Scores as the chain makes them out of `score`: each stage gives its views to what stands before it."""
    for views in chain:
        score = VIEWS[views.name](score, **views.arguments())
    return score


def mirror(score: Score) -> Score:
    """Scores for the image and its mirror image."""
    return lambda x: 0.5 * score(x) + 0.5 * score(x.flip(3))


def shift(score: Score, *, pixels: int) -> Score:
    """Scores for the image, and for the image moved along a diagonal both ways."""

    def moved(x: Tensor, distance: int) -> Tensor:
        for dimension in (2, 3):
            extent = x.shape[dimension]
            place = reflected(torch.arange(extent, device=x.device) + distance, extent)
            x = x.index_select(dimension, place)
        return x

    return lambda x: 0.5 * score(x) + 0.25 * (score(moved(x, -pixels)) + score(moved(x, pixels)))


VIEWS: dict[str, Callable[..., Score]] = {"mirror": mirror, "shift": shift}
