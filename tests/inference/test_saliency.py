"""Grad-CAM, on networks whose answer is known."""

import numpy as np
import pytest
import torch

from cifar_dsl.compiler import analyze_text
from cifar_dsl.inference.saliency import saliency
from cifar_dsl.training.lowering.torch_module import build_module

HEAD = "arch a\ninput 1x8x8\n"


def map_of(text: str, image: torch.Tensor, weights=lambda module: None):
    analysis = analyze_text(HEAD + f"model {{ {text} }}\n")
    module = build_module(analysis.graph, "a", seed=0).eval()
    weights(module)
    return saliency(module, analysis.graph, image, 0)


def ones(module) -> None:
    for parameter in module.parameters():
        torch.nn.init.ones_(parameter)


def test_the_map_shows_the_bright_place() -> None:
    image = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    image[..., 2:4, 4:6] = 255
    heat = map_of("conv(2, 2, stride=2, bias=false) -> relu -> global_avgpool -> dense(3)", image, ones)
    expected = np.zeros((4, 4), np.float32)
    expected[1, 2] = 1
    assert heat is not None
    assert np.array_equal(heat, expected)


def test_a_class_token_leaves_the_places_of_the_patches() -> None:
    image = torch.arange(64, dtype=torch.uint8).reshape(1, 1, 8, 8)
    text = "conv(8, 2, stride=2) -> tokens -> class_token -> attention(2) -> attention(2) -> token(0) -> dense(3)"
    heat = map_of(text, image)
    assert heat is not None
    assert heat.shape == (4, 4)
    assert 0 <= heat.min() <= heat.max() <= 1


def test_a_later_layer_in_place_changes_no_kept_value() -> None:
    image = torch.full((1, 1, 8, 8), 255, dtype=torch.uint8)
    heat = map_of("conv(1, 1, bias=false) -> relu -> flatten -> dense(2)", image, ones)
    assert heat is not None
    assert np.array_equal(heat, np.ones((8, 8), np.float32))


def test_without_places_there_is_no_map() -> None:
    image = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    assert map_of("flatten -> dense(3)", image) is None


@pytest.mark.parametrize("text", ["conv(2, 3) -> relu -> global_avgpool -> dense(3)"])
def test_the_network_keeps_no_hook_and_no_gradient(text) -> None:
    analysis = analyze_text(HEAD + f"model {{ {text} }}\n")
    module = build_module(analysis.graph, "a", seed=0).eval()
    saliency(module, analysis.graph, torch.ones(1, 1, 8, 8, dtype=torch.uint8), 0)
    assert all(not one._forward_hooks for one in module.modules())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_tied_layer_is_seen_at_each_use() -> None:
    image = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    image[..., 2:4, 4:6] = 255
    text = "let f = tied { conv(1, 2, stride=2, bias=false) }\nf -> f -> flatten -> dense(3)"
    heat = map_of(text, image, ones)
    assert heat is not None
    assert heat.shape == (2, 2)
