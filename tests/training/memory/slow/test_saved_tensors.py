"""The tensors that layers declare as saved by autograd are the ones that torch saves."""

import re

import pytest
import torch
from helpers.networks import layers, networks
from hypothesis import HealthCheck, assume, given, settings

import cifar_dsl
from cifar_dsl.analysis.activation_trace import trace_activations
from cifar_dsl.compiler import analyze_text
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.ir import Graph
from cifar_dsl.operations.layers import LAYERS, WEIGHTS
from cifar_dsl.training.lowering.torch_module import build_module

# The same examples in every run: a test this strict should fail for a changed layer, never by bad luck.
slow_to_draw = {
    "derandomize": True,
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much],
}
APART = {"relative_scores", "window_mask"}  # products: torch copies what is no view, less where an extent is 1
precisions = pytest.mark.parametrize("precision", ["fp32", "bf16"])


class Keeping:
    """Collects every storage that autograd saves, once."""

    def __init__(self) -> None:
        self._kept: dict[int, torch.UntypedStorage] = {}  # held, so that no address is reused

    def pack(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        self._kept[storage.data_ptr()] = storage

    @property
    def size(self) -> int:
        return sum(storage.nbytes() for storage in self._kept.values())


def kept_by_torch(graph: Graph, precision: str, batch: int) -> int:
    """Bytes that autograd saves in a training forward pass, weights included."""
    module = build_module(graph, "test", seed=0).to(memory_format=torch.channels_last)
    x = torch.rand(batch, *graph.input.extents).to(memory_format=torch.channels_last)
    keeping = Keeping()
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")
    with torch.autograd.graph.saved_tensors_hooks(keeping.pack, lambda _: None), autocast:
        module(x)
    return keeping.size


def check(graph: Graph, precision: str) -> None:
    # Weights, and tensors computed once per batch, are saved for any number of images.
    more = kept_by_torch(graph, precision, 3) - kept_by_torch(graph, precision, 2)
    assert trace_activations(graph, precision).kept_bytes() == more


def is_approximate(text: str, precision: str) -> bool:
    """Whether a layer declares a little more or less than torch saves."""
    patterns = [
        r"attention\((heads=)?1\b.*\d(\.\d|e-)"
    ]  # with one head and dropout, the values are a view of the projection
    # Attention that is made of products; see APART.
    patterns += [r"\b(before|after|qk_norm)=(?!identity)", r"\bdim_head=(?!share)", r"\bqkv_bias=false"]
    patterns.append(rf"attention\(.*\b({'|'.join({*WEIGHTS} - {'none'})})\b")
    if precision == "bf16":  # on a CPU torch pads in float32
        patterns += ["replicate", "reflect"]
    return any(re.search(pattern, text) for pattern in [*patterns, *APART])


@pytest.mark.filterwarnings("ignore:Mismatch dtype:UserWarning")  # rmsnorm's input and scale
@precisions
@pytest.mark.parametrize("name", sorted({*LAYERS} - APART))
def test_each_layer(name: str, precision: str) -> None:
    @settings(max_examples=4, **slow_to_draw)
    @given(text=layers(name))
    def law(text: str) -> None:
        assume("whitening" not in text)  # must come first
        assume(not is_approximate(text, precision))
        # A trained stage before the layer makes a backward pass; the one after it saves the layer's output.
        head, stages = text.removesuffix("}\n").split("model {")
        channels = analyze_text(text).graph.input.channels
        check(analyze_text(f"{head}model {{\nconv({channels}, 1)\n{stages}\nsilu\n}}\n").graph, precision)

    law()


@pytest.mark.filterwarnings("ignore:Mismatch dtype:UserWarning")
@precisions
@pytest.mark.parametrize("name", sorted({*LAYERS} - APART))
def test_each_layer_whose_input_needs_no_gradient(name: str, precision: str) -> None:
    @settings(max_examples=4, **slow_to_draw)
    @given(text=layers(name))
    def law(text: str) -> None:
        assume(not is_approximate(text, precision))
        check(analyze_text(text.removesuffix("}\n") + "silu\n}\n").graph, precision)

    law()


@pytest.mark.parametrize("pad_mode", ["zeros", "circular", "reflect", "replicate"])
def test_padded_images(pad_mode: str) -> None:
    """No gradient of images is computed, so the padding of the first layer saves none."""
    stages = f"conv(4, 3, pad=1, pad_mode={pad_mode})\nconv(4, 3, pad=2, pad_mode={pad_mode})\nsilu"
    check(analyze_text(f"arch padded\ninput 3x8x8\nmodel {{\n{stages}\n}}\n").graph, "fp32")


@precisions
@pytest.mark.parametrize(
    "stages",
    [
        "shake { conv(4, 1) | conv(4, 1) }",
        "shake { conv(4, 1) | global_avgpool | identity[:1] }",
        "mean(drop=0.5) { conv(4, 1) | conv(4, 1) | identity }",
        "mean(global_share=0.5) { conv(4, 1) | conv(4, 1) | identity }",
        "mean { conv(4, 1) | identity }",
        "mean(drop=0.5) for i in [1] { conv(4, 1) }",
    ],
)
def test_joins_that_draw(stages: str, precision: str) -> None:
    check(analyze_text(f"arch x\ninput 4x6x6\nmodel {{\nconv(4, 1)\n{stages}\nsilu\n}}\n").graph, precision)


@precisions
@pytest.mark.parametrize("stages", ["tokens -> relative_scores(2)", "tokens -> relative_scores(1, size=4x9)"])
def test_relative_scores(stages: str, precision: str) -> None:
    check(analyze_text(f"arch x\ninput 4x6x6\nmodel {{\nconv(4, 1)\n{stages}\nsilu\n}}\n").graph, precision)


@pytest.mark.filterwarnings("ignore:Mismatch dtype:UserWarning")
@precisions
@settings(max_examples=20, **slow_to_draw)
@given(text=networks())
def test_random_networks(precision: str, text: str) -> None:
    assume(not is_approximate(text, precision))
    check(analyze_text(text).graph, precision)


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("resnet20", "fp32"),
        ("resnet20", "bf16"),
        ("vit_tiny", "fp32"),
        ("vit_tiny", "bf16"),
        ("mobilenet_v2", "fp32"),
        ("googlenet", "fp32"),
        ("densenet121", "fp32"),
    ],
)
def test_published_networks(name: str, precision: str) -> None:
    check(cifar_dsl.load(specs_directory() / "zoo" / f"{name}.arch").graph, precision)
