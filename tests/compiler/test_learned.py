"""`learned` starts a chain, and takes nothing but the number of images from what flows."""

import pytest
from helpers.specs import codes_of, errors_of, graph_of, text_of

from cifar_dsl.compiler import analyze_text
from cifar_dsl.compiler.lints.inspection import warnings
from cifar_dsl.views.flatten import expanded


def shape_of(model: str, items: str = "") -> str:
    graph = graph_of(model, items, "4x6x6")
    return str(graph.shape_of(graph.output))


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ("add { conv(4, 3, pad=1) -> mul { identity | learned(1, init=zeros) } | identity }", "4x6x6"),
        ("tokens -> concat { learned((1, in_channels)) | identity }", "37x4"),
        ("tokens -> concat { learned(1x4) -> dense(4) | identity }", "37x4"),
        ("let w = learned([4, height, 1], init=ones)\nmul { identity | w }", "4x6x6"),
        ("conv(8, 1) -> add { identity | learned(8) }", "8x6x6"),
        ("conv(8, 3) -> tokens -> concat { learned((1, in_channels)) | identity }", "17x8"),
    ],
)
def test_a_learned_tensor_meets_others(model: str, shape: str) -> None:
    assert shape_of(model) == shape


def test_its_parameter() -> None:
    graph = graph_of("mul { identity | learned((3, 1, 1)) }")
    (learned,) = [node for node in graph.nodes if node.operation.name == "learned"]
    (weight,) = learned.parameters
    assert (learned.path, weight.name, weight.shape, weight.kind) == (
        "mul.branch2.learned",
        "weight",
        (3, 1, 1),
        "embedding",
    )
    assert learned.cost.parameters == 3
    assert learned.cost.macs == 0
    assert learned.used_inputs == ()


def test_it_depends_on_its_place_only_by_its_path() -> None:
    before = "let w = learned(8)\nconv(8, 1)\nmul { identity | w }"
    after = "conv(8, 1)\nlet w = learned(8)\nmul { identity | w }"
    inputs = [
        {n.path: [graph.name_of(v) for v in n.inputs] for n in graph.nodes} for graph in map(graph_of, (before, after))
    ]
    assert inputs[0] == inputs[1]


@pytest.mark.parametrize(
    ("model", "codes"),
    [
        ("conv(8, 1) -> learned(8)", ["E0213"]),
        ("let x = identity\nx -> learned(8)", ["E0213"]),
        ("learned(0)", ["E0304"]),
        ("learned((1, 2, 3, 4))", ["E0304"]),
        ("learned()", ["E0303"]),
        ("learned(8, init=dirac)", ["E0304"]),
        ("mul { identity | learned(5) }", ["E0308"]),
        ("learned(1_000_000_000)", ["E0211"]),
        ("learned((10_000, 10_000, 10_000))", ["E0211"]),
        ("relu -> learned(1)\nconv(0, 1)", ["E0213", "E0304"]),
    ],
)
def test_what_is_wrong(model: str, codes: list[str]) -> None:
    assert codes_of(text_of(model)) == codes


def test_the_advice_works() -> None:
    (error,) = errors_of(text_of("conv(8, 1) -> learned(8)"))
    assert error.help == ("join with the input: `mul { identity | learned(8) }`",)
    assert shape_of("conv(8, 1) -> mul { identity | learned(8) }") == "8x6x6"


def test_what_comes_before_it_is_lost() -> None:
    found = warnings(analyze_text(text_of("conv(8, 1)\nlearned(8) -> dense(10)")))
    assert [one.code for one in found] == ["W0202"]


@pytest.mark.parametrize(
    "model",
    [
        "let w = learned(4)\nconv(4, 1) -> add { identity | w }",
        "let y = gate\nadd { y -> gate | identity }",
        "repeat 3 { conv(4, 1) -> gate }",
    ],
)
def test_an_expanded_spec_has_the_same_network(model: str) -> None:
    block = "block gate() { mul { conv(4, 1) | learned(1) } }"
    graph = graph_of(model, block, "4x6x6")
    again = analyze_text(expanded(graph, None, "test")).graph
    assert [(n.operation, n.inputs) for n in again.nodes] == [(n.operation, n.inputs) for n in graph.nodes]


def test_a_block_of_the_same_name_is_what_it_was() -> None:
    assert shape_of("learned -> learned", "block learned() { conv(5, 1) }") == "5x6x6"
