"""Test-time augmentation: the scores of an image are the mean of its views' scores."""

from collections.abc import Callable

import torch
from torch import Tensor

from cifar_dsl.ir.recipe import Views
from cifar_dsl.training.augmentation.moves import reflected

Score = Callable[[Tensor], Tensor]  # images (N, C, H, W) -> scores (N, classes)


def with_views(score: Score, chain: tuple[Views, ...]) -> Score:
    """`score` averaged over the views of a chain; each stage passes its views to the stage before."""
    for views in chain:
        score = VIEWS[views.name](score, **views.arguments())
    return score


def mirror(score: Score) -> Score:
    """Average over the image and its mirror image."""
    return lambda x: 0.5 * score(x) + 0.5 * score(x.flip(3))


def shift(score: Score, *, pixels: int) -> Score:
    """Average over the image, weighted 1/2, and the image shifted by `pixels` both ways along a diagonal, 1/4 each."""

    def shifted(x: Tensor, distance: int) -> Tensor:
        for dimension in (2, 3):
            extent = x.shape[dimension]
            position = reflected(torch.arange(extent, device=x.device) + distance, extent)
            x = x.index_select(dimension, position)
        return x

    return lambda x: 0.5 * score(x) + 0.25 * (score(shifted(x, -pixels)) + score(shifted(x, pixels)))


VIEWS: dict[str, Callable[..., Score]] = {"mirror": mirror, "shift": shift}
