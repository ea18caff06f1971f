"""Tied blocks as modules: one set of weights, whose gradient is the sum over the uses."""

import copy
import pickle

import pytest
import torch
from helpers.specs import graph_of
from helpers.tolerances import sums
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from cifar_dsl.ir import Graph
from cifar_dsl.training.lowering.torch_module import build_module

TIED = "let f = tied { conv(4, 3, pad=1) -> bn -> relu }\nconv(4, 1) -> f\nadd { f | tanh -> f } -> flatten -> dense(3)"
UNTIED = TIED.replace("let f = tied { conv(4, 3, pad=1) -> bn -> relu }\n", "")
ITEMS = "block f() { conv(4, 3, pad=1) -> bn -> relu }"
FIRST, LATER = "f", ("add.branch1.f", "add.branch2.f")


def built(graph: Graph) -> nn.Module:
    return build_module(graph, "test", seed=0).double()


def images() -> Tensor:
    return torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_weights_are_once_in_the_state_under_the_path_of_the_first_use() -> None:
    graph = graph_of(TIED)
    module = built(graph)
    assert list(module.state_dict()) == [
        "conv.weight",
        "conv.bias",
        *(f"f.conv.{name}" for name in ("weight", "bias")),
        *(f"f.bn.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")),
        "dense.weight",
        "dense.bias",
    ]
    assert sum(one.numel() for one in module.parameters()) == graph.cost.parameters
    assert graph.cost.macs == graph_of(UNTIED, ITEMS).cost.macs
    assert {node.path: node.shares for node in graph.nodes if node.shares} == {
        f"{use}.{layer}": f"{FIRST}.{layer}" for use in LATER for layer in ("conv", "bn")
    }


def test_a_gradient_is_the_sum_of_those_of_the_uses() -> None:
    tied, untied = built(graph_of(TIED)), built(graph_of(UNTIED, ITEMS))
    weights = tied.state_dict()
    for use in LATER:
        weights |= {name.replace("f.", f"{use}.", 1): one for name, one in weights.items() if name.startswith("f.")}
    untied.load_state_dict(weights)
    for module in (tied, untied):
        module(images()).square().sum().backward()
    parts = {name: one.grad for name, one in untied.named_parameters()}
    for name, one in tied.named_parameters():
        if name.startswith("f."):
            expected = sum(parts[name.replace("f.", f"{use}.", 1)] for use in (FIRST, *LATER))
            assert all(parts[name.replace("f.", f"{use}.", 1)].any() for use in (FIRST, *LATER))
        else:
            expected = parts[name]
        assert torch.allclose(one.grad, expected, **sums(expected))


class Reference(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dense = nn.Conv2d(3, 4, 1), nn.Linear(256, 3)
        self.f = nn.Sequential()
        self.f.conv, self.f.bn, self.f.relu = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.f(self.conv(x))
        return self.dense((self.f(x) + self.f(x.tanh())).flatten(1))


def test_it_computes_what_a_module_that_is_called_again_does() -> None:
    module, reference = built(graph_of(TIED)), Reference().double()
    reference.load_state_dict(module.state_dict(), strict=False)
    for step in range(3):
        for one in (module, reference):
            one.train(step < 2)
        assert torch.equal(module(images()), reference(images()))
        for name, buffer in reference.named_buffers():
            assert torch.equal(buffer, module.get_buffer(name))  # updated at each use
    assert module.get_buffer("f.bn.num_batches_tracked") == 6


def test_copies_have_ties_of_their_own() -> None:
    module = built(graph_of(TIED)).eval()
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(other(images()), module(images()))
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.zero_()
        assert not other(images()).any()
        assert module(images()).any()


def test_dropout_draws_at_each_use() -> None:
    module = built(graph_of("let f = tied { dropout(0.5) }\nadd { f | scale(-1) -> f }"))
    assert module(torch.ones(1, 3, 8, 8, dtype=torch.float64)).any()


@pytest.mark.parametrize("function", ["standardized", "normalized(gain=learned)", "capped(1)", "spectral"])
def test_functions_of_weights_are_tied(function: str) -> None:
    text = f"let f = tied {{ conv(3, 3, pad=1, weight={function}) }}\nf -> relu -> f -> flatten -> dense(2)"
    module = built(graph_of(text)).eval()
    conv = module.get_submodule("f.conv")
    expected = module.get_submodule("dense")(conv(F.relu(conv(images()))).flatten(1))
    assert torch.allclose(module(images()), expected, **sums(expected))
    assert not any(name.startswith("f2") for name in module.state_dict())


def test_uses_may_have_images_of_other_sizes() -> None:
    text = "let f = tied { conv(3, 3, pad=1) -> mean(c, h, w -> c) }\nadd { f | maxpool(2) -> f }"
    module = built(graph_of(text))
    conv, x = module.get_submodule("add.branch1.f.conv"), images()
    expected = conv(x).mean((2, 3)) + conv(F.max_pool2d(x, 2)).mean((2, 3))
    assert torch.allclose(module(x), expected, **sums(expected))
