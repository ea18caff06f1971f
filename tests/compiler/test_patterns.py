"""Patterns: the extents of axes, what a name in a product means, and what a pattern is to the fingerprint."""

import pytest
from helpers.specs import codes_of, errors_of, graph_of, text_of

from cifar_dsl.compiler import analyze_text
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import parse_spec, print_spec

IMAGE = "4x6x6"


def shape(stages: str, items: str = "") -> str:
    graph = graph_of(stages, items, IMAGE)
    return str(graph.shape_of(graph.output))


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("rearrange(c, h, w -> h * w, c)", "36x4"),
        ("rearrange(c, h * 2, w * 2 -> c * 2 * 2, h, w)", "16x3x3"),
        ("rearrange(c, y * b, x * a -> a * b * c, y, x, a=2, b=3)", "24x2x3"),
        ("rearrange(2 * c, h, w -> c, h, w * 2)", "2x6x12"),
        ("rearrange(a * b * c, h, w -> c * b, h, w * a, a=2, b=2)", "2x6x12"),
        ("rearrange(c * k, h, w -> c, k, h * w, c=4)", "4x1x36"),  # worked out: 1
        ("rearrange(c, h, 6 -> c, 1, h * 6)", "4x1x36"),
        ("mean(c, h, w -> c)", "4"),
        ("mean(c, h, w -> 1, h, w)", "1x6x6"),
        ("mean(c, h, w -> 1)", "1"),
        ("mean(c, h, w -> 1, c, 1)", "1x4x1"),
        ("max(c * 2, h, w -> c, h, w)", "2x6x6"),
        ("sum(c * 2, h * 2, w * 2 -> c, h * 2, w)", "2x6x3"),  # the second 2 is also the first of the right side
        ("sum(c, h, w -> w, c)", "6x4"),
    ],
)
def test_shapes(stage: str, expected: str) -> None:
    assert shape(stage) == expected


def test_a_name_in_a_product_has_the_extent_of_the_number_in_scope() -> None:
    split = "rearrange(c * k, h, w -> c, h, w * k)"
    assert shape(split, "param k = 2") == "2x6x12"
    assert shape("let k = 2\n" + split) == "2x6x12"
    assert shape("unit(2)", f"block unit(k: int) {{ {split} }}") == "2x6x12"
    assert shape("for k in [2] { " + split + " }") == "2x6x12"
    assert codes_of(text_of(split, size=IMAGE)) == ["E0314"]
    both = "rearrange(c * k, h, w -> c, h, w * k, k=4)"
    assert shape(both, "param k = 2") == "1x6x24"  # the argument comes first


def test_an_axis_by_itself_has_the_extent_that_is_there() -> None:
    """A number above with the name of an axis changes nothing, unless the axis is only in products."""
    items = "param c = 7\nparam h = 7\nparam w = 7\nparam k = 7"
    assert shape("rearrange(c, h, w -> h * w, c)", items) == "36x4"
    assert shape("rearrange(c, h * 2, w -> c, h, 2 * w)", "param h = 3") == "4x3x12"


def test_a_tensor_is_no_extent() -> None:
    assert (
        shape("let k = identity\nrearrange(c * k, h, w -> c, h, w * k, c=2)\nadd { identity | identity }") == "2x6x12"
    )
    assert shape("let c = identity\nrearrange(c * 2, h, w -> c, h, w * 2)") == "2x6x12"


def test_a_value_of_another_type_is_an_error() -> None:
    (error,) = errors_of(text_of("rearrange(c * k, h, w -> c, h, w * k)", "param k = 2.5", IMAGE))
    assert error.code == "E0314"
    assert "`k` is the number 2.5" in error.message


def test_numbers_without_an_arrow_are_as_before() -> None:
    assert shape("conv(max(8, sum([1, 2])), 1)") == "8x6x6"
    assert shape("let n = max(3, 5)\nconv(n, 1)") == "5x6x6"


@pytest.mark.parametrize("name", ["rearrange", "mean", "max", "sum"])
def test_definitions_of_the_same_name_keep_their_meaning(name: str) -> None:
    assert shape(f"{name}(8)", f"block {name}(c: int) {{ conv(c, 1) }}") == "8x6x6"
    assert shape(f"{name}(8)\nmean(c, h, w -> c)", f"block {name}(c: int) {{ conv(c, 1) }}") == "8"
    assert shape(f"let {name} = conv(8, 1)\nconcat {{ {name} | identity }}") == "12x6x6"
    assert shape(f"conv({name}, 1)", f"param {name} = 8") == "8x6x6"


def test_renaming_axes_changes_no_fingerprint() -> None:
    def fingerprint(stage: str, items: str = "") -> str:
        return analyze_text(text_of(stage, items, IMAGE)).fingerprint

    first = fingerprint("rearrange(c * 2, h, w -> c, h * 2, w)")
    assert first == fingerprint("rearrange(q * k, y, x -> q, y * k, x, k=2)")
    assert first == fingerprint("rearrange(c * heads, h, w -> c, h * heads, w)", "param heads = 2")
    assert first != fingerprint("rearrange(2 * c, h, w -> c, h * 2, w)")
    assert first != fingerprint("rearrange(c * 2, h, w -> c, 2 * h, w)")


def test_printing_and_parsing() -> None:
    text = "arch x\n\nmodel {\n    rearrange(c,h*2 , w -> c*2,h, 1*w , a=2)\n    einsum(t,d|s,d->t,s)\n}\n"
    spec = parse_spec(Source("x", text))
    printed = print_spec(spec)
    assert "rearrange(c, h * 2, w -> c * 2, h, 1 * w, a=2)" in printed
    assert "einsum(t, d | s, d -> t, s)" in printed
    assert parse_spec(Source("x", printed)) == spec


def test_large_patterns_are_refused_in_time() -> None:
    many = " * ".join(["1"] * 400)
    assert shape(f"rearrange(c * {many}, h, w -> c, h, w)") == IMAGE
    huge = " * ".join(f"{10**12}" for _ in range(400))
    assert codes_of(text_of(f"rearrange(c * {huge}, h, w -> c, h, w)", size=IMAGE)) == ["E0314"]
    axes = ", ".join(f"a{i}" for i in range(2000))
    assert codes_of(text_of(f"rearrange({axes} -> a0)", size=IMAGE)) == ["E0314"]
    names = " * ".join(f"a{i}" for i in range(2000))
    assert codes_of(text_of(f"rearrange({names}, h, w -> a0)", size=IMAGE)) == ["E0314"]
