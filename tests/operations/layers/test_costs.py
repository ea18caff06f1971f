"""Weights and multiply-accumulates of layers, computed by hand."""

import pytest
from helpers.specs import graph_of

from cifar_dsl.ir import Cost


@pytest.mark.parametrize(
    ("stage", "size", "shape", "parameters", "macs"),
    [
        ("conv(8, 3)", "4x8x8", (8, 6, 6), 8 * 4 * 9 + 8, 8 * 6 * 6 * 4 * 9),
        ("conv(8, 3, groups=4)", "4x8x8", (8, 6, 6), 8 * 1 * 9 + 8, 8 * 6 * 6 * 1 * 9),
        ("conv(8, 3x1, stride=2, pad=0x1, bias=false)", "4x8x8", (8, 3, 5), 8 * 4 * 3, 8 * 3 * 5 * 4 * 3),
        ("conv(8, 3, pad=same, dilation=2)", "4x8x8", (8, 8, 8), 8 * 4 * 9 + 8, 8 * 8 * 8 * 4 * 9),
        ("bn", "4x8x8", (4, 8, 8), 8, 0),
        ("maxpool(3, 2)", "4x8x8", (4, 3, 3), 0, 0),
        ("maxpool(3, 2, ceil=true)", "4x8x8", (4, 4, 4), 0, 0),
        ("avgpool(2, pad=1)", "4x8x8", (4, 5, 5), 0, 0),
        ("global_avgpool", "4x8x8", (4,), 0, 0),
        ("prelu", "4x8x8", (4, 8, 8), 4, 0),
        ("prelu(channelwise=false)", "4x8x8", (4, 8, 8), 1, 0),
        ("layer_scale", "4x8x8", (4, 8, 8), 4, 0),
        ("lppool(2, 3, 2, ceil=true)", "4x8x8", (4, 4, 4), 0, 0),
        ("blurpool", "4x7x8", (4, 4, 4), 0, 0),
        ("affine", "4x8x8", (4, 8, 8), 8, 0),
        ("power(2)", "4x8x8", (4, 8, 8), 0, 0),
        ("unfold(3, 2, 1)", "4x8x8", (36, 4, 4), 0, 0),
        ("locally_connected(8, 3)", "4x8x8", (8, 6, 6), 36 * 8 * 36 + 8 * 36, 36 * 8 * 36),
        ("locally_connected(8, 3, 2, pad=same, bias=false)", "4x8x8", (8, 4, 4), 16 * 8 * 36, 16 * 8 * 36),
        ("patches(8, 4)", "4x8x8", (4, 8), 8 * 4 * 16 + 8, 4 * 8 * 4 * 16),
    ],
)
def test_a_layers_cost(stage: str, size: str, shape: tuple[int, ...], parameters: int, macs: int) -> None:
    (node,) = graph_of(stage, size=size).nodes
    assert node.shape.extents == shape
    assert node.cost == Cost(parameters, macs)


def test_attention_counts_projections_and_products_of_token_pairs() -> None:
    graph = graph_of("tokens -> class_token -> position_embedding -> attention(2)", size="4x8x8")
    tokens, class_token, position, attention = (node.cost for node in graph.nodes)
    assert tokens == Cost()
    assert class_token == Cost(4, 0)
    assert position == Cost(65 * 4, 0)
    assert attention == Cost(4 * 4 * 4 + 4 * 4, 4 * 65 * 4 * 4 + 2 * 65 * 65 * 4)


def test_kinds_of_parameters() -> None:
    stages = "prelu -> layer_scale -> patches(4, 2) -> class_token -> position_embedding -> attention(2, frozen=weight)"
    kinds = {f"{node.path}.{p.name}": p.kind for node in graph_of(stages).nodes for p in node.parameters}
    assert kinds == {
        "prelu.weight": "scale",
        "layer_scale.weight": "scale",
        "patches.weight": "filter",
        "patches.bias": "bias",
        "class_token.weight": "embedding",
        "position_embedding.weight": "embedding",
        "attention.in_weight": "matrix",
        "attention.in_bias": "bias",
        "attention.out_weight": "matrix",
        "attention.out_bias": "bias",
    }
    frozen = [p.name for node in graph_of(stages).nodes for p in node.parameters if p.is_frozen]
    assert frozen == ["in_weight", "out_weight"]
