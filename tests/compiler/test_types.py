"""Blocks with typed parameters, and layers, blocks, tensors and initialisers as arguments."""

import pytest
from helpers.specs import codes_of, errors_of, graph_of, text_of

TYPED = """
block unit(c: int, act: block = relu, norm: none | before | after = none, first: init = standard) {
    if norm == before { bn }
    conv(c, 1, init=first)
    if norm == after { bn }
    act
}
block twice(f: block, c: int) { f(c) -> f(c) }
block beside(other: tensor) { concat { identity | other } }
block sized(k: size, share: float, on: bool, widths: list) {
    if on { for c in widths { conv(c, k) } }
    dropout(share)
}
"""


def layers_of(stages: str, items: str = TYPED) -> list[str]:
    return [node.operation.name for node in graph_of(stages, items).nodes]


def test_a_layer_is_passed_by_its_bare_name() -> None:
    assert layers_of("unit(4, silu)\nunit(4, act=identity)\nunit(4)") == [
        "conv",
        "silu",
        "conv",
        "identity",
        "conv",
        "relu",
    ]


def test_a_passed_layer_keeps_its_own_name() -> None:
    assert [node.path for node in graph_of("unit(4, silu)", TYPED).nodes] == ["unit.conv", "unit.silu"]


def test_a_block_is_passed_by_its_bare_name() -> None:
    assert layers_of("twice(unit, 4)") == ["conv", "relu"] * 2


def test_a_passed_layer_takes_arguments() -> None:
    assert [str(n.shape) for n in graph_of("wide(conv)", "block wide(f: block) { f(5, 3) }").nodes] == ["5x6x6"]


def test_a_param_may_be_a_layer_or_an_initialiser() -> None:
    graph = graph_of("unit(4, act, first=how)", TYPED + "param act = gelu\nparam how = normal(std=0.5)")
    assert [node.operation.name for node in graph.nodes] == ["conv", "gelu"]
    assert str(graph.nodes[0].parameters[0].initial) == "normal(std=0.5)"


def test_words_of_a_type_are_values() -> None:
    assert layers_of("unit(4, norm=before)") == ["bn", "conv", "relu"]
    assert layers_of("let when = after\nunit(4, norm=when)") == ["conv", "bn", "relu"]
    assert layers_of("unit(4, norm=after if in_channels == 3 else none)") == ["conv", "bn", "relu"]


def test_a_word_may_be_a_layer_too() -> None:
    block = "block skip(how: identity | project = project) { if how == identity { identity } else { conv(4, 1) } }"
    assert layers_of("skip(identity)\nskip", block) == ["identity", "conv"]


def test_a_tensor_is_passed_by_its_name() -> None:
    graph = graph_of("let side = conv(5, 1)\nbeside(side)", TYPED)
    assert str(graph.shape_of(graph.output)) == "8x8x8"
    assert graph.nodes[-1].inputs == (2, 1)


def test_a_default_may_use_the_current_tensor_and_earlier_parameters() -> None:
    block = "block third(c: int = in_channels // 3, d: int = 2 * c) { conv(d, 1) }"
    assert [str(n.shape) for n in graph_of("third\nthird(4)", block).nodes] == ["2x8x8", "8x8x8"]


@pytest.mark.parametrize(
    "call",
    [
        "unit(1.5)",
        "unit(true)",
        "unit(same)",
        "unit(4, 3)",
        "unit(4, same)",
        "unit(4, norm=same)",
        "unit(4, norm=relu)",
        "unit(4, first=relu)",
        "unit(4, first=0.5)",
        "twice(4, 4)",
        "beside(4)",
        "beside(relu)",
        "sized(1, 0.5, 1, [1])",
        "sized(1, true, true, [1])",
        "sized([1], 0.5, true, [1])",
        "sized(1, 0.5, true, 1)",
        "sized(1, 0.5, true, 3x3)",
    ],
)
def test_a_value_of_another_type_is_an_error(call: str) -> None:
    assert codes_of(text_of(call, TYPED)) == ["E0304"]


def test_values_of_the_declared_types_are_accepted() -> None:
    graph_of("sized(3x1, 0, true, [4, 5])\nsized(1, 0.5, false, [])", TYPED)


def test_the_error_shows_both_places_and_the_declared_type() -> None:
    (error,) = errors_of(text_of("unit(4, norm=same)", TYPED))
    assert error.message == "`norm` of `unit` must be `none`, `before` or `after`"
    assert error.label is not None
    assert error.label.span.text == "same"
    assert error.secondary[0].span.text == "norm: none | before | after = none"


def test_a_default_of_another_type_is_an_error() -> None:
    assert codes_of(text_of("unit", "block unit(c: int = same) { conv(c, 1) }")) == ["E0304"]


@pytest.mark.parametrize(("types", "near"), [("itn", "int"), ("tenser", "tensor")])
def test_an_unknown_type_is_an_error(types: str, near: str) -> None:
    (error,) = errors_of(text_of("relu", f"block unit(c: {types}) {{ relu }}"))
    assert (error.code, error.help) == ("E0202", (f"did you mean `{near}`?",))


def test_a_misspelt_word_is_an_error_that_names_the_nearest() -> None:
    (error,) = errors_of(text_of("unit(4, norm=befor)", TYPED))
    assert (error.code, error.help) == ("E0202", ("did you mean `before`?",))
