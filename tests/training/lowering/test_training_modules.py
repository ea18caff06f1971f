"""The module that trains has the tensors, outputs and gradients of the ordinary one."""

from pathlib import Path

import pytest
import torch
from helpers.specs import text_of
from helpers.tolerances import sums
from helpers.training import CPU
from torch import nn

from cifar_dsl import load
from cifar_dsl.analysis.reordering import pooled_first
from cifar_dsl.compiler import analyze_text
from cifar_dsl.ir import Graph
from cifar_dsl.operations.layers.base import LAYERS
from cifar_dsl.training.lowering.torch_module import Network, build_module, build_training_module
from cifar_dsl.training.lowering.training_modules import PooledFirst, SummedBiasConv2d

SPECS = Path(__file__).parents[3] / "specs"


@pytest.fixture(autouse=True)
def processor(monkeypatch):
    """A processor on which training uses all of its own layers."""
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")


def graph_of(model: str) -> Graph:
    return analyze_text(text_of(model)).graph


def swapped(model: str) -> list[str]:
    """The paths of the layers that change places."""
    graph = graph_of(model)
    return [graph.name_of(value) for value in pooled_first(graph)]


def both(graph: Graph) -> tuple[Network, Network]:
    """The ordinary module and that of a training, with equal weights."""
    return build_module(graph, "network", 0), build_training_module(graph, "network", 0, CPU)


def passed(module: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """The output, the gradient of the input and those of the parameters, for a gradient without symmetries."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    y = module(x)
    y.backward(torch.linspace(-1, 2, y.numel()).view_as(y))
    return y.detach(), x.grad, [parameter.grad for parameter in module.parameters()]


@pytest.mark.parametrize("name", ["baseline", "residual"])
def test_the_specs_of_the_speed_page_train_with_the_faster_layers(monkeypatch, name):
    """Nothing else would notice if they were plain again."""
    graph = load(SPECS / f"{name}.arch").graph
    module = build_training_module(graph, name, 0, CPU)
    kinds = [type(layer) for layer in module.modules()]
    assert kinds.count(PooledFirst) == sum(node.operation.name == "maxpool" for node in graph.nodes) > 0
    assert kinds.count(SummedBiasConv2d) == sum(node.operation.name == "conv" for node in graph.nodes) > 0
    assert list(module.state_dict()) == list(build_module(graph, name, 0).state_dict())
    kinds = {type(layer) for layer in build_training_module(graph, name, 0, torch.device("cuda")).modules()}
    assert {PooledFirst, nn.Conv2d} <= kinds
    assert SummedBiasConv2d not in kinds
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
    kinds = {type(layer) for layer in build_training_module(graph, name, 0, CPU).modules()}
    assert {PooledFirst, nn.Conv2d} <= kinds
    assert SummedBiasConv2d not in kinds


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("conv(4, 3) -> relu -> maxpool(2)", ["relu", "maxpool"]),
        ("conv(4, 3) -> relu6 -> maxpool(3, 2, pad=1, ceil=true)", ["relu6", "maxpool"]),
        ("hardtanh -> adaptive_maxpool(3)", ["hardtanh", "adaptive_maxpool"]),
        ("for c in [4, 8] { conv(c, 3) -> relu }\nmaxpool(2)", ["relu2", "maxpool"]),
        ("conv(4, 3) -> relu -> avgpool(2)", []),
        ("conv(4, 3) -> relu -> maxpool(3, 1, pad=1)", []),  # as many numbers as before
        ("conv(4, 3) -> relu\nadd { maxpool(2) | maxpool(2) }", []),  # another stage uses the activation's output
        ("conv(4, 3) -> relu\nlet x = maxpool(2)\nadd { identity | conv(4, 3, pad=1) }\nmaxpool(2)", []),
    ],
)
def test_an_activation_that_only_a_smaller_max_pooling_uses_runs_after_it(model, expected):
    assert swapped(model) == expected


def test_only_activations_that_keep_or_clip_numbers_change_places():
    """Others aren't monotone, as gelu, or round different numbers to equal ones, so that the gradient may move."""
    assert {name for name in LAYERS if LAYERS[name].commutes_with_max} == {"relu", "relu6", "hardtanh"}


POOLINGS = ["maxpool(2)", "maxpool(3, 2, pad=1)", "maxpool(2, 3, ceil=true)", "maxpool((3, 2), (2, 1))"]
POOLINGS += ["adaptive_maxpool(3)"]


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("activation", ["relu", "relu6", "hardtanh(-0.5, 1.5)"])
def test_outputs_and_gradients_of_swapped_layers_are_identical(activation, pooling):
    """Also in windows with equal numbers, with zeros of both signs, and where all numbers are clipped."""
    graph = graph_of(f"{activation} -> {pooling}")
    generator = torch.Generator().manual_seed(0)
    steps = torch.randint(-4, 5, (8, *graph.input.extents), generator=generator) / 2  # many ties
    inputs = [steps, torch.where(steps == 0, -0.0, steps), -steps.abs(), steps * 100, torch.randn(steps.shape)]
    ordinary, swapped = both(graph)
    for values in inputs:
        x = values.contiguous(memory_format=torch.channels_last)
        (one, of_one, _), (other, of_other, _) = passed(ordinary, x), passed(swapped, x)
        assert torch.equal(one, other)
        assert torch.equal(of_one, of_other)
        with torch.no_grad():
            assert torch.equal(ordinary.eval()(x), swapped.eval()(x))


def test_nan_passes_through_swapped_layers():
    ordinary, swapped = both(graph_of("relu -> maxpool(2)"))
    x = torch.zeros(1, 3, 32, 32)
    x[0, 0, 0, 1] = x[0, 1, 3, 3] = torch.nan
    (one, of_one, _), (other, of_other, _) = passed(ordinary, x), passed(swapped, x)
    assert one.isnan().sum() == 2
    for each, same in ((one, other), (of_one, of_other)):
        assert torch.equal(each.nan_to_num(123), same.nan_to_num(123))


CONVOLUTIONS = ["conv(6, 3)", "conv(6, 3, pad=1, stride=2)", "conv(6, (1, 3), groups=3)", "conv(6, 3, dilation=2)"]


@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_a_summed_bias_changes_nothing_but_the_order_of_its_sum(convolution):
    graph = graph_of(convolution)
    x = torch.randn(8, *graph.input.extents).contiguous(memory_format=torch.channels_last)
    ordinary, training = both(graph)
    for module in (ordinary, training):
        module.to(memory_format=torch.channels_last)
    (one, of_one, ones), (other, of_other, others) = passed(ordinary, x), passed(training, x)
    assert torch.equal(one, other)
    for plain, summed in ((of_one, of_other), *zip(ones, others, strict=True)):
        torch.testing.assert_close(summed, plain, **sums(plain))
    with torch.no_grad():
        assert torch.equal(ordinary(x), training(x))


def test_a_summed_bias_needs_a_bias_in_training_and_float32(monkeypatch):
    """Frozen biases, tests, half precision and compiled networks use torch's own convolution."""
    calls = []
    summed = "cifar_dsl.training.lowering.training_modules._SummedBias.apply"
    monkeypatch.setattr(summed, lambda *arguments: calls.append(1) or torch.conv2d(*arguments[:3]))
    x = torch.randn(2, 3, 32, 32)
    for model, count in (("conv(4, 3)", 1), ("conv(4, 3, frozen=all)", 0), ("conv(4, 3, bias=false)", 0)):
        calls.clear()
        module = build_training_module(graph_of(model), "network", 0, CPU)
        with torch.no_grad():
            module(x)
        with torch.autocast("cpu", torch.bfloat16):
            module(x)
        with monkeypatch.context() as compiling:
            compiling.setattr("torch.compiler.is_compiling", lambda: True)
            module(x)
        assert not calls
        module(x)
        assert len(calls) == count
