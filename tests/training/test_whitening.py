"""Whitening filters from the training images."""

import numpy as np
import pytest
import torch
from helpers.pictures import images

from cifar_dsl.compiler import analyze_text
from cifar_dsl.training.images import Images
from cifar_dsl.training.lowering.torch_module import build_module
from cifar_dsl.training.whitening import whiten, whitening_filters

EPS = 5e-4


@pytest.fixture
def pictures() -> Images:
    """Neighbouring pixels are alike, as in photographs."""
    made = images(700, height=8, width=8)
    blurred = torch.nn.functional.avg_pool2d(made.pixels.permute(0, 3, 1, 2).float(), 3, 1, 1)
    made.pixels = blurred.permute(0, 2, 3, 1).to(torch.uint8).contiguous()
    made.scale, made.offset = torch.full((3,), 1 / 50), torch.full((3,), -2.0)
    return made


def patches(pictures: Images, size: int) -> np.ndarray:
    """All patches (n, C * size * size) of the normalized images."""
    x = pictures.batch(torch.arange(len(pictures))).double().numpy()
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, 3 * size * size)


@pytest.mark.parametrize("size", [2, 3])
def test_filters_are_scaled_eigenvectors_the_largest_first_and_their_negatives(pictures, size):
    length = 3 * size * size
    filters = whitening_filters(pictures, torch.Size((2 * length, 3, size, size)), EPS)
    assert torch.equal(filters[length:], -filters[:length])
    rows = patches(pictures, size)
    covariance = rows.T @ rows / len(rows)
    values = np.linalg.eigvalsh(covariance)[::-1]
    vectors = filters[:length].reshape(length, -1).double().numpy() * np.sqrt(values + EPS)[:, None]
    # Filters are worked out in float64 and rounded to float32, by 6e-8 of each number.
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(length), rtol=0, atol=1e-6)
    # As above, of the largest eigenvalue.
    np.testing.assert_allclose(covariance @ vectors.T, vectors.T * values, rtol=0, atol=1e-6 * values[0])


def test_outputs_are_uncorrelated_and_of_mean_square_1(pictures):
    filters = whitening_filters(pictures, torch.Size((24, 3, 2, 2)), 1e-9)
    outputs = patches(pictures, 2) @ filters[:12].reshape(12, -1).double().numpy().T
    # Filters are float32: 6e-8 of the largest output comes into the smallest, which is about 10 times smaller.
    np.testing.assert_allclose(outputs.T @ outputs / len(outputs), np.eye(12), rtol=0, atol=1e-5)


def test_fewer_channels_keep_the_leading_pairs(pictures):
    every = whitening_filters(pictures, torch.Size((24, 3, 2, 2)), EPS)
    some = whitening_filters(pictures, torch.Size((6, 3, 2, 2)), EPS)
    assert torch.equal(some, torch.cat([every[:3], every[12:15]]))


def test_5000_images_spread_over_the_split_are_measured():
    many = images(10_000)
    shape = torch.Size((24, 3, 2, 2))
    before = whitening_filters(many, shape, EPS)
    many.pixels[1::2] = 0
    assert torch.equal(whitening_filters(many, shape, EPS), before)
    many.pixels[9998] = 0
    assert not torch.equal(whitening_filters(many, shape, EPS), before)


def test_only_weights_with_the_whitening_initializer_are_filled(pictures):
    text = """
    arch whitened
    input 3x8x8
    model { conv(24, 2, init=whitening, frozen=weight) -> gelu -> conv(4, 3) -> flatten -> dense(10) }
    """
    graph = analyze_text(text).graph
    module, plain = build_module(graph, "whitened", 0), build_module(graph, "whitened", 0)
    whiten(module, graph, pictures)
    assert torch.equal(module.conv.weight, whitening_filters(pictures, torch.Size((24, 3, 2, 2)), EPS))
    assert not module.conv.weight.requires_grad
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, plain.get_parameter(name)) == (name != "conv.weight")
