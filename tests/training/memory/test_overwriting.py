"""Which layers run in place, and that running in place changes no result."""

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
        ("relu -> conv(4, 3)", []),  # the input belongs to the caller
        ("conv(4, 3) -> relu -> relu", ["relu"]),  # the first relu saves its output
        ("conv(4, 3) -> sigmoid -> relu", []),  # so does sigmoid
        ("conv(4, 3) -> flatten -> relu", []),  # flatten's output is a view
        ("conv(4, 3) -> gelu", []),
        ("conv(4, 3)\nadd { relu | gelu }", []),  # two branches use it
        ("let x = conv(4, 3)\nadd { x -> relu | x }", []),
        ("conv(4, 3)\nadd { relu }", ["add.branch1.relu"]),
    ],
)
def test_relu_overwrites_an_input_that_nothing_else_needs(model, expected):
    assert names(model) == expected


def test_results_and_gradients_are_identical_bit_for_bit():
    model = (
        "conv(4, 3) -> bn -> relu\nadd { conv(4, 3, pad=1) -> relu | conv(4, 1) }\nrelu\nflatten -> dense(5) -> relu"
    )
    graph = analyze_text(text_of(model)).graph
    in_place, apart = (build_module(graph, "network", seed=0) for _ in range(2))
    assert [module.inplace for module in in_place.modules() if isinstance(module, nn.ReLU)] == [True] * 4
    for module in apart.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    x = torch.randn(4, *graph.input.extents)
    before = x.clone()
    for network in (in_place, apart):
        network(x).square().sum().backward()
    assert torch.equal(x, before)
    for one, other in zip(in_place.parameters(), apart.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)
