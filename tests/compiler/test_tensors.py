"""Named tensors: slices of their channels, and reassignment."""

import pytest
from helpers.specs import codes_of, graph_of, paths_of, text_of

from cifar_dsl.ir import Graph


def shapes(graph: Graph) -> list[str]:
    return [str(node.shape) for node in graph.nodes]


@pytest.mark.parametrize(
    ("subscript", "start", "stop"),
    [("[:2]", 0, 2), ("[2:]", 2, 8), ("[1:3]", 1, 3), ("[:]", 0, 8), ("[k - 1:in_channels // 2]", 1, 4)],
)
def test_a_slice_takes_channels(subscript: str, start: int, stop: int) -> None:
    graph = graph_of(f"let k = 2\nlet x = conv(8, 1)\nx{subscript}")
    assert graph.nodes[-1].operation.arguments() == {"start": start, "stop": stop, "step": 1}
    assert str(graph.shape_of(graph.output)) == f"{stop - start}x8x8"


def test_in_channels_of_a_slice_are_those_of_the_tensor() -> None:
    # `conv(2, 1)` is the flow, `x` is what is sliced.
    graph = graph_of("let x = conv(8, 1)\nconv(2, 1)\nconcat { x[in_channels // 2:] | identity }")
    assert str(graph.shape_of(graph.output)) == "6x8x8"


def test_a_slice_starts_a_chain_of_a_let_and_of_a_branch() -> None:
    graph = graph_of("let x = conv(8, 1)\nlet y = x[:4] -> relu\nadd { x[4:] | y }")
    assert shapes(graph) == ["8x8x8", "4x8x8", "4x8x8", "4x8x8", "4x8x8"]


def test_a_let_of_a_slice_is_a_tensor() -> None:
    graph = graph_of("let x = conv(8, 1)\nlet y = x[:4]\ny -> relu")
    assert shapes(graph) == ["8x8x8", "4x8x8", "4x8x8"]


def test_slices_are_stages_with_names() -> None:
    assert paths_of("let x = conv(8, 1)\nx[:4]\nx[4:]\nx[:1] as first") == ["x.conv", "slice", "slice2", "first"]


@pytest.mark.parametrize(
    "stage",
    ["x[9:]", "x[:9]", "x[3:2]", "x[4:4]", "x[1]", "x[:4][:2]", "x[-1:]", "x[:1.5]", "relu -> x[:4]"],
)
def test_invalid_slices(stage: str) -> None:
    assert codes_of(text_of(f"let x = conv(8, 1)\n{stage}"))[0] in {"E0210", "E0213"}


@pytest.mark.parametrize(("slice_", "items"), [("[1:]", 2), ("[:1]", 1), ("[:]", 3), ("[1:2]", 1), ("[3:]", 0)])
def test_a_slice_of_a_list(slice_: str, items: int) -> None:
    assert len(graph_of(f"let widths = [4, 5, 6]\nrelu\nfor c in widths{slice_} {{ conv(c, 1) }}").nodes) == 1 + items


def test_lists_are_joined() -> None:
    assert shapes(graph_of("for c in [1, 2] + [3] { conv(c, 1) }")) == ["1x8x8", "2x8x8", "3x8x8"]


@pytest.mark.parametrize("value", ["[1] + 2", "[1] - [1]", "[1][2:3]", "[1][0:2]"])
def test_invalid_lists(value: str) -> None:
    assert codes_of(text_of(f"let k = {value}\nrelu")) == ["E0210"]


# ---- another value for a name


def test_an_assignment_affects_later_stages() -> None:
    graph = graph_of("let x = conv(4, 1)\nx = x -> conv(5, 1)\nx -> relu")
    assert shapes(graph) == ["4x8x8", "5x8x8", "5x8x8"]


def test_an_assignment_carries_a_tensor_from_round_to_round() -> None:
    loop = "let last = identity\nrepeat 3 {\nlet here = identity\nconcat { identity | last }\nlast = here\n}"
    # 3, 3 + 3, 6 + 3, 9 + 6: each round joins the flow with what came into the round before.
    joined = [str(node.shape) for node in graph_of(loop).nodes if node.operation.name == "concat"]
    assert joined == ["6x8x8", "9x8x8", "15x8x8"]


def test_an_assignment_does_not_move_the_flow() -> None:
    assert shapes(graph_of("let x = conv(4, 1)\nx = conv(5, 1)\nrelu"))[-1] == "3x8x8"


def test_assigned_tensors_are_parts_of_paths() -> None:
    assert paths_of("let x = conv(4, 1)\nx = conv(5, 1)\nrepeat 2 { x = x -> relu }") == [
        "x.conv",
        "x2.conv",
        "x3.relu",
        "x4.relu",
    ]


@pytest.mark.parametrize(
    ("stages", "code"),
    [
        ("y = relu", "E0201"),
        ("let k = 3\nk = relu", "E0213"),
        ("repeat 2 { let y = relu }\ny = relu", "E0201"),
    ],
)
def test_only_a_named_tensor_can_be_assigned(stages: str, code: str) -> None:
    assert codes_of(text_of(stages)) == [code]


def test_a_block_does_not_see_tensors_outside() -> None:
    assert codes_of(text_of("let x = relu\nunit", "block unit() { x = relu }")) == ["E0201"]


# ---- functions


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("round_to(30, 8)", 32),
        ("round_to(3, 8)", 8),
        ("round_to(4 * 0.35, 8)", 8),
        ("round_to(11, 8)", 16),  # 8 is less than 0.9 * 11
        ("round_to(32 * 0.75, 8)", 24),
        ("round(sqrt(17))", 4),
        ("sum(1, 2, 3)", 6),
        ("sum([4, 5])", 9),
    ],
)
def test_functions(expression: str, value: int) -> None:
    assert graph_of(f"conv({expression}, 1)").nodes[0].shape.channels == value


@pytest.mark.parametrize("expression", ["round_to(3)", "round_to(3, 0)", "sqrt(0 - 1)", "max([])", "round_to([1], 8)"])
def test_invalid_function_arguments(expression: str) -> None:
    assert codes_of(text_of(f"conv({expression}, 1)")) == ["E0210"]
