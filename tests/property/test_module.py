"""What is known of a network before torch is imported is what torch then finds."""

import copy

import torch
from helpers.networks import networks
from hypothesis import HealthCheck, given, settings
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cifar_dsl.backends.torch_module import build_module
from cifar_dsl.ir import Graph
from cifar_dsl.semantics import analyze_text

law = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])


def built(text: str) -> tuple[Graph, nn.Module]:
    graph = analyze_text(text).graph
    return graph, build_module(graph, "drawn", seed=0).eval()


def images(graph: Graph, count: int = 2) -> torch.Tensor:
    return torch.randn(count, *graph.input.extents, generator=torch.Generator().manual_seed(0))


@law
@given(networks())
def test_every_inferred_shape_is_the_modules(text: str) -> None:
    graph, module = built(text)
    seen: dict[str, tuple[int, ...]] = {}
    for node in graph.nodes:
        module.get_submodule(node.path).register_forward_hook(
            lambda _module, _inputs, output, path=node.path: seen.update({path: tuple(output.shape[1:])})
        )
    output = module(images(graph))
    assert seen == {node.path: node.shape.extents for node in graph.nodes}
    assert tuple(output.shape[1:]) == graph.shape_of(graph.output).extents


@law
@given(networks())
def test_declared_tensors_are_the_state_dict(text: str) -> None:
    graph, module = built(text)
    declared = {f"{node.path}.{p.name}": p for node in graph.nodes for p in node.parameters}
    assert {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()} == {
        name: p.shape for name, p in declared.items()
    }
    assert {name for name, _ in module.named_buffers()} == {name for name, p in declared.items() if p.is_buffer}
    assert graph.cost.parameters == sum(p.numel() for p in module.parameters())


@law
@given(networks())
def test_macs_are_half_of_torchs_flops(text: str) -> None:
    graph, module = built(text)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(images(graph, count=1))
    assert graph.cost.macs == counter.get_total_flops() // 2


@law
@given(networks())
def test_a_copy_and_another_memory_format_compute_the_same(text: str) -> None:
    graph, module = built(text)
    x = images(graph)
    with torch.no_grad():
        expected = module(x)
        torch.testing.assert_close(copy.deepcopy(module)(x), expected, rtol=0, atol=0, equal_nan=True)
        other = copy.deepcopy(module).to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(other, expected, rtol=1e-4, atol=1e-4, equal_nan=True)
