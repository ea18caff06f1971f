"""Facts known about a network without torch match the torch module."""

import copy
from math import prod

import pytest
import torch
from helpers.networks import layers, networks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cifar_dsl.compiler import analyze_text
from cifar_dsl.ir import Graph, Node
from cifar_dsl.operations.layers import LAYERS
from cifar_dsl.operations.layers.parts import Einsum
from cifar_dsl.training.lowering.torch_module import build_module

IMAGES = 2
slow_to_draw = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much]}


def check_shapes(graph: Graph, module: nn.Module) -> None:
    seen: dict[str, tuple[int, ...]] = {}
    for node in graph.nodes:
        module.get_submodule(node.path).register_forward_hook(
            lambda _module, _inputs, output, path=node.path: seen.update({path: tuple(output.shape[1:])})
        )
    output = module(images(graph))
    assert seen == {node.path: node.shape.extents for node in graph.nodes if node.output in graph.evaluated}
    assert tuple(output.shape[1:]) == graph.shape_of(graph.output).extents


def check_tensors(graph: Graph, module: nn.Module) -> None:
    declared = {f"{node.path}.{p.name}": p for node in graph.nodes for p in node.parameters}
    state = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    assert state == {name: p.shape for name, p in declared.items()}
    by_node = [name for node in graph.nodes for name in state if name.rpartition(".")[0] == node.path]
    assert by_node == list(declared)
    assert {name for name, _ in module.named_buffers()} == {name for name, p in declared.items() if p.is_buffer}
    assert graph.cost.parameters == sum(p.numel() for p in module.parameters())


def check_macs(graph: Graph, module: nn.Module) -> None:
    # The counter knows products of matrices, and attention only where it is made of them.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        module(images(graph))
    # Torch multiplies elementwise, uncounted, where a product sums over an extent of 1.
    run = [node for node in graph.nodes if node.output in graph.evaluated]
    uncounted = sum(node.cost.macs for node in run if isinstance(node.operation, Einsum) and sums_one(node))
    ours, theirs = (graph.cost.macs - uncounted) * IMAGES * 2, counter.get_total_flops()
    if any(node.operation.name == "relative_scores" for node in run):
        assert ours >= theirs
    else:
        assert ours == theirs


def sums_one(node: Node) -> bool:
    pattern = node.operation.pattern
    return prod(pattern.extents_of(pattern.missing)) == 1


def check_copies(graph: Graph, module: nn.Module) -> None:
    """A copy computes the same, and so does the module in another memory format."""
    with torch.no_grad():
        single = module(images(graph))
        module, x = module.double(), images(graph).double()
        expected = module(x)
        torch.testing.assert_close(copy.deepcopy(module)(x), expected, rtol=0, atol=0, equal_nan=True)  # exactly
        # Any network may be drawn, also one that makes values of rounding noise (a norm of equal numbers, a softmax of
        # huge ones). Its results in float32 and in float64 differ, and the comparison means nothing.
        if not torch.allclose(single.double(), expected, rtol=0.01, atol=0.01, equal_nan=True):
            return  # fewer than one in a hundred
        other = copy.deepcopy(module).to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    # float64 rounds 5e8 times more finely, so that of 0.01 less than 1e-10 is left. Measured: 3e-14.
    torch.testing.assert_close(other, expected, rtol=1e-9, atol=1e-9, equal_nan=True)


LAWS = [check_shapes, check_tensors, check_macs, check_copies]


def built(text: str) -> tuple[Graph, nn.Module]:
    graph = analyze_text(text).graph
    return graph, build_module(graph, "drawn", seed=0).eval()


def images(graph: Graph) -> torch.Tensor:
    return torch.randn(IMAGES, *graph.input.extents, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=40, **slow_to_draw)
@given(text=networks())
def test_the_law_holds_for_networks(law, text: str) -> None:
    law(*built(text))


@pytest.mark.parametrize("name", list(LAYERS))
@settings(max_examples=6, **slow_to_draw)
@given(data=st.data())
def test_every_law_holds_for_each_layer(name: str, data: st.DataObject) -> None:
    text = data.draw(layers(name))
    for law in LAWS:
        law(*built(text))
