"""Weights and multiply-accumulates of layers, worked out by hand."""

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
    ],
)
def test_a_layers_cost(stage: str, size: str, shape: tuple[int, ...], parameters: int, macs: int) -> None:
    (node,) = graph_of(stage, size=size).nodes
    assert node.shape.extents == shape
    assert node.cost == Cost(parameters, macs, activations=node.shape.elements)


def test_an_identity_keeps_nothing() -> None:
    graph = graph_of("identity -> flatten -> dense(10)")
    assert graph.nodes[0].cost == Cost()
    assert graph.cost == Cost(192 * 10 + 10, 192 * 10, activations=192 + 192 + 10)
