"""Scores averaged over several views of a test image."""

import pytest
import torch
from helpers.tolerances import SAME_FORMULA
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from cifar_dsl.operations.recipe import TEST_AUGMENTATIONS
from cifar_dsl.training.test_time_augmentation import VIEWS, with_views

MIRROR, SHIFT = TEST_AUGMENTATIONS["mirror"](), TEST_AUGMENTATIONS["shift"](pixels=1)


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 5 * 4, 10))


@pytest.fixture
def x() -> Tensor:
    return torch.randn(4, 3, 7, 6)


def moved(x: Tensor, down: int, right: int, pad: int) -> Tensor:
    padded = F.pad(x, (pad, pad, pad, pad), "reflect")
    return padded[:, :, pad - down : pad - down + x.shape[2], pad - right : pad - right + x.shape[3]]


def test_every_declared_view_is_implemented():
    assert set(VIEWS) == set(TEST_AUGMENTATIONS)


def test_without_views_scores_are_those_of_the_network(network, x):
    assert torch.equal(with_views(network, ())(x), network(x))


def test_mirror_averages_the_image_and_its_mirror_image(network, x):
    scores = with_views(network, (MIRROR,))(x)
    torch.testing.assert_close(scores, (network(x) + network(torch.flip(x, [3]))) / 2, **SAME_FORMULA)


@pytest.mark.parametrize("pixels", [1, 2])
def test_shift_averages_the_image_and_two_diagonal_shifts(network, x, pixels):
    scores = with_views(network, (TEST_AUGMENTATIONS["shift"](pixels=pixels),))(x)
    diagonals = network(moved(x, pixels, pixels, 2)) + network(moved(x, -pixels, -pixels, 2))
    torch.testing.assert_close(scores, network(x) / 2 + diagonals / 4, **SAME_FORMULA)


def test_mirror_and_shift_are_six_views(network, x):
    """Weights as in airbench94: the image and its mirror image 1/4 each, and four shifted ones 1/8 each."""
    views = [(x, 1 / 2), (moved(x, 1, 1, 1), 1 / 4), (moved(x, -1, -1, 1), 1 / 4)]
    expected = sum(weight / 2 * (network(view) + network(view.flip(3))) for view, weight in views)
    torch.testing.assert_close(with_views(network, (MIRROR, SHIFT))(x), expected, **SAME_FORMULA)


def test_a_shift_may_be_larger_than_the_image(network, x):
    assert with_views(network, (TEST_AUGMENTATIONS["shift"](pixels=64),))(x).isfinite().all()
