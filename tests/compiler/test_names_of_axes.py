"""A spec that defines a word of slices, axes or new layers means what it meant."""

import pytest
from helpers.specs import graph_of

LAYERS = ["power", "exp", "log", "affine", "l2norm", "unfold", "locally_connected", "learned", "sine"]
AXES = ["channels", "rows", "columns", "tokens", "features", "first", "over"]


@pytest.mark.parametrize("name", [*LAYERS, *AXES])
def test_a_block_of_this_name(name: str) -> None:
    graph = graph_of(
        f"relu -> {name}\nadd {{ {name}(3) | {name} }}", f"block {name}(k: int = 1) {{ conv(5, k, pad=same) }}"
    )
    assert [node.operation.name for node in graph.nodes] == ["relu", "conv", "conv", "conv", "add"]
    assert graph.nodes[1].path == f"{name}.conv"


@pytest.mark.parametrize("name", [*LAYERS, *AXES])
def test_a_number_of_this_name(name: str) -> None:
    graph = graph_of(
        f"conv({name}, 1)\nfor {name} in [2, 3] {{ conv({name}, 1) }}\nlet y = identity", f"param {name} = 4"
    )
    assert [node.shape.channels for node in graph.nodes[:3]] == [4, 2, 3]


@pytest.mark.parametrize("name", [*LAYERS, *AXES])
def test_a_tensor_of_this_name(name: str) -> None:
    graph = graph_of(f"let {name} = conv(4, 1)\nconv(2, 1)\nconcat {{ identity | {name} | {name}[:1] }}")
    assert graph.shape_of(graph.output).channels == 7


@pytest.mark.parametrize("name", ["channels", "rows", "columns"])
def test_a_word_passes_over_a_number_that_can_not_stand_there(name: str) -> None:
    graph = graph_of(f"conv({name}, 1) -> softmax({name})\nconcat({name}) {{ identity | relu }}", f"param {name} = 4")
    extents = dict(zip(["channels", "rows", "columns"], graph.shape_of(graph.output).extents, strict=True))
    assert extents == {"channels": 4, "rows": 8, "columns": 8} | {name: 2 * (4 if name == "channels" else 8)}


def test_a_block_identity_is_called_and_something_called_identity_is_sliced() -> None:
    graph = graph_of("identity -> identity[:2]", "block identity() { conv(5, 1) }")
    assert [node.operation.name for node in graph.nodes] == ["conv", "slice"]
