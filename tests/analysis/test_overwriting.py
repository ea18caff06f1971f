"""Which layers compute in the memory of their input, and that this changes no number."""

import pytest
import torch
from helpers.specs import text_of
from torch import nn

from cifar_dsl.analysis.overwriting import overwriting
from cifar_dsl.compiler import analyze_text
from cifar_dsl.training.lowering.torch_module import build_module


def names(model: str) -> list[str]:
    graph = analyze_text(text_of(model)).graph
    return [graph.name_of(value) for value in sorted(overwriting(graph))]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("conv(4, 3) -> relu", ["relu"]),
        ("conv(4, 3) -> bn -> relu", ["relu"]),
        ("flatten -> dense(5) -> relu", ["relu"]),
        ("add { conv(3, 1) | conv(3, 1) } -> relu", ["relu"]),
        ("relu -> conv(4, 3)", []),  # the images are not the network's
        ("conv(4, 3) -> relu -> relu", ["relu"]),  # the first needs its output
        ("conv(4, 3) -> sigmoid -> relu", []),  # so does a sigmoid
        ("conv(4, 3) -> flatten -> relu", []),  # which lies in another's memory
        ("conv(4, 3) -> gelu", []),
        ("conv(4, 3)\nadd { relu | gelu }", []),  # two use it
        ("let x = conv(4, 3)\nadd { x -> relu | x }", []),
        ("conv(4, 3)\nadd { relu }", ["add.branch1.relu"]),
    ],
)
def test_an_input_is_overwritten_that_nobody_needs_any_more(model, expected):
    assert names(model) == expected


def test_results_and_gradients_are_the_same_bit_for_bit():
    model = (
        "conv(4, 3) -> bn -> relu\nadd { conv(4, 3, pad=1) -> relu | conv(4, 1) }\nrelu\nflatten -> dense(5) -> relu"
    )
    graph = analyze_text(text_of(model)).graph
    inside, apart = (build_module(graph, "network", seed=0) for _ in range(2))
    assert [module.inplace for module in inside.modules() if isinstance(module, nn.ReLU)] == [True] * 4
    for module in apart.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    x = torch.randn(4, *graph.input.extents)
    before = x.clone()
    for network in (inside, apart):
        network(x).square().sum().backward()
    assert torch.equal(x, before)
    for one, other in zip(inside.parameters(), apart.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)
