"""Differences of networks: each is reported once, relative to the block in which it was made."""

import pytest
from helpers.specs import text_of

from cifar_dsl.compiler import analyze_text
from cifar_dsl.views.difference import Difference, as_lines, difference

HEAD = "flatten -> dense(10)"


def compared(before: str, after: str, items: tuple[str, str] = ("", ""), size: str = "3x8x8") -> Difference:
    """The difference of two models."""
    models = zip((before, after), items, strict=True)
    return difference(*(analyze_text(text_of(f"{model}\n{HEAD}", item, size)) for model, item in models))


def network_lines(before: str, after: str, items: tuple[str, str] = ("", ""), size: str = "3x8x8") -> list[str]:
    """The lines about the network."""
    lines = as_lines(compared(before, after, items, size))
    start = lines.index("network") + 1
    return [line.strip() for line in lines[start : lines.index("", start)]]


def blocks(before: str, after: str) -> tuple[str, str]:
    return f"block unit(c: int) {{ {before} }}", f"block unit(c: int) {{ {after} }}"


THREE = "unit(4) -> unit(8) -> unit(8)"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("conv(4, 1)", "conv(4, 1) -> bn", "+ bn after conv; +8 parameters (+0.31 %)"),
        ("conv(4, 1) -> bn", "conv(4, 1)", "- bn after conv; -8 parameters (-0.31 %)"),
        ("conv(4, 1)", "tanh -> conv(4, 1)", "+ tanh at the start"),
        ("relu", "silu", "relu replaced by silu"),
        ("conv(4, 1) -> relu", "conv(4, 1) -> silu", "relu replaced by silu after conv"),
        ("conv(4, 1)", "conv(4, 1, bias=false)", "conv: bias true -> false; -4 parameters (-0.15 %)"),
        ("maxpool(2)", "maxpool(3, 2, pad=1)", "maxpool: kernel 2 -> 3, stride kernel -> 2, pad 0 -> 1"),
        ("leaky_relu(0.1)", "leaky_relu(0.1000000000000001)", "leaky_relu: slope 0.1 -> 0.1000000000000001"),
        ("bn -> relu", "relu -> bn", "bn moved from at the start to after relu"),
        ("relu -> bn -> tanh", "relu -> tanh -> bn", "bn moved from after relu to after tanh"),
        ("relu -> conv(3, 1) as mix", "relu -> conv(3, 1)", "renamed, with their weights: mix -> conv"),
        ("add { relu | tanh }", "mul { relu | tanh }", "add replaced by mul"),
        ("add { relu | tanh }", "add { relu | tanh -> bn }", "+ bn after add.branch2.tanh; +6 parameters (+0.31 %)"),
        ("add { relu | tanh }", "add { tanh | relu }", "relu moved from add.branch1 to add.branch2"),
        (
            "conv(3, 1) -> bn",
            "add { conv(3, 1) | identity } -> bn",
            "conv(3, 1) replaced by add { conv(3, 1) | identity }",
        ),
    ],
)
def test_an_edit_is_reported_at_its_place(before, after, expected):
    assert network_lines(before, after)[0].startswith(expected)


def test_an_edit_of_a_block_is_reported_once():
    assert network_lines(THREE, THREE, blocks("conv(c, 1)", "conv(c, 1) -> bn")) == [
        "unit: + bn after conv (3 calls); +40 parameters (+0.76 %)"
    ]


def test_an_edit_of_one_call_names_it():
    assert network_lines(
        "unit(4) -> unit(8) -> relu", "unit(4) -> unit(6) -> relu", blocks("conv(c, 1)", "conv(c, 1)")
    )[0] == ("unit2.conv: channels 8 -> 6; -10 parameters (-0.19 %)")


def test_an_edit_of_some_calls_counts_them():
    items = blocks("conv(c, 1)\nrelu", "conv(c, 1)\nif c < 8 { relu }")
    assert network_lines(THREE, THREE, items) == ["unit: - relu after conv (2 of 3 calls)"]


def test_arguments_that_differ_from_call_to_call_are_listed():
    (line, *_) = network_lines(THREE, THREE, blocks("conv(c, 1)", "conv(2 * c, 1)"))
    assert line.startswith("unit.conv: channels 4 -> 8, 8 -> 16 (2 x) (3 calls); +")


def test_equal_edits_of_the_model_are_counted():
    before = "conv(4, 1) -> relu -> conv(6, 1) -> relu"
    assert network_lines(before, before.replace("relu", "silu")) == ["relu replaced by silu after conv (2 times)"]
    (line, *_) = network_lines(before, before.replace(", 1)", ", 1, bias=false)"))
    assert line == "conv: bias true -> false (2 times); -10 parameters (-0.26 %)"


def test_further_calls_of_a_block_are_counted():
    body = "conv(c, 1)"
    lines = network_lines("unit(4) -> relu -> unit(8)", "repeat 3 { unit(4) }\nrelu -> unit(8)", blocks(body, body))
    assert lines == [
        "unit: 2 calls -> 4 calls; + 2 x unit(4); +40 parameters (+0.77 %)",
        "renamed, with their weights: unit2 -> unit4",
    ]
    lines = network_lines("repeat 3 { unit(4) }\nrelu", "unit(4) -> relu", blocks(body, body))
    assert lines == ["unit: 3 calls -> 1 calls; - 2 x unit(4); -40 parameters (-1.5 %)"]


@pytest.mark.parametrize(
    ("before", "after", "items", "expected"),
    [
        ("conv(4, 1) -> bn", "stem", ("", "block stem() { conv(4, 1) -> bn }"), "conv -> stem.conv, bn -> stem.bn"),
        ("one", "two", ("block one() { bn -> relu }", "block two() { bn -> relu }"), "one -> two"),
        ("u -> u", "v", ("block u() { bn }", "block u() { bn }\nblock v() { u -> u }"), "u -> v.u, u2 -> v.u2"),
    ],
)  # fmt: skip
def test_the_same_layers_in_other_blocks_are_renamed(before, after, items, expected):
    found = compared(before, after, items)
    assert found.network == ()
    assert found.renames
    assert network_lines(before, after, items) == [f"renamed, with their weights: {expected}"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("add { tanh | x }", "add { tanh | y }", "add: takes y.identity in place of x.identity"),
        ("add { tanh | x }", "add { tanh | x | y }", "add: takes add.branch1.tanh, x.identity, y.identity in place of"),
        ("add { tanh | x }", "add { tanh | bn }", "+ bn as add.branch2"),
        ("tanh", "x -> tanh", "tanh: takes x.identity in place of relu"),
    ],
)
def test_a_layer_with_other_inputs_is_reported(before, after, expected):
    start = "let x = identity\nrelu\nlet y = identity\n"
    assert network_lines(start + before, start + after)[0].startswith(expected)


def test_another_output_is_reported():
    texts = [text_of(f"let x = tanh\nlet y = bn\n{end}") for end in ("x", "y")]
    found = difference(*map(analyze_text, texts))
    assert [change.text for change in found.network] == ["output: takes y.bn in place of x.tanh"]


def test_a_stage_between_two_layers_does_not_rewire_them():
    found = compared("relu -> tanh", "relu -> bn -> tanh")
    assert [change.kind for change in found.network] == ["added"]


def test_another_input_is_reported_with_its_consequences():
    before, after = text_of(f"conv(4, 3)\n{HEAD}"), text_of(f"conv(4, 3)\n{HEAD}", size="3x9x9")
    lines = as_lines(difference(analyze_text(before), analyze_text(after)))
    assert "  input: 3x8x8 -> 3x9x9" in lines
    assert "  shapes that change as a result: conv 4x6x6 -> 4x7x7, flatten 144 -> 196" in lines
    assert "  parameters that change as a result: dense +520" in lines


def test_very_different_networks_are_summed_up():
    before = "\n".join(f"conv({i}, 1) -> relu as relu_{i}" for i in range(1, 60))
    after = "\n".join(f"conv({i}, 1) -> leaky_relu({i / 100}) as relu_{i}" for i in range(1, 60))
    found = compared(before, after)
    assert len(as_lines(found)) < 45
    distinct = "\n".join(f"leaky_relu({i / 100}) as relu_{i} -> {'tanh -> ' * (i % 9)}bn" for i in range(1, 60))
    assert len(as_lines(compared("bn", distinct))) < 45


def test_a_long_difference_is_shortened_unless_full():
    names = [f"unit_{i}" for i in range(40)]
    before = "\n".join(f"block {name}() {{ relu -> bn }}" for name in names)
    after = "\n".join(f"block {name}() {{ relu -> {'tanh -> ' * (i + 1)}bn }}" for i, name in enumerate(names))
    found = compared("\n".join(names), "\n".join(names), (before, after))
    lines = as_lines(found)
    assert "  ... 28 more changes; --full lists them" in lines
    assert "  layers: tanh 0 -> 820" in lines
    assert len(lines) < 25
    assert len(as_lines(found, in_full=True)) > 40


def test_deep_networks_are_compared():
    def deep(inner: str) -> str:
        return "add { relu | " * 45 + inner + " }" * 45

    found = compared(deep("tanh"), deep("tanh -> bn"))
    assert [change.kind for change in found.network] == ["added"]


def test_blocks_that_are_nested_deep_are_compared():
    def items(inner: str) -> str:
        calls = "\n".join(f"block b{i}() {{ add {{ relu | b{i + 1} }} }}" for i in range(45))
        return f"{calls}\nblock b45() {{ {inner} }}"

    found = compared("b0", "b0", (items("tanh"), items("tanh -> bn")))
    assert [change.block for change in found.network] == ["b45"]


def test_large_networks_take_a_moment():
    before = "for i in 1..3000 { leaky_relu(slope=i / 10000) }"
    found = compared(before, before.replace("i /", "0.5 + i /"))
    assert found.network


def test_a_changed_weight_of_an_exit_is_one_changed_argument() -> None:
    exits = [f"conv(4, 1)\nlet early = global_avgpool -> dense(10) -> exit({weight})" for weight in (0.3, 0.4)]
    assert network_lines(*exits) == ["early.exit: weight 0.3 -> 0.4"]
