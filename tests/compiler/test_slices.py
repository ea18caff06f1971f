"""Slices of tensors: of the channels, or of every axis, and what isn't one."""

import pytest
from helpers.specs import codes_of, errors_of, graph_of, text_of

from cifar_dsl.compiler import analyze_text
from cifar_dsl.ir import Shape


def shape_of(model: str, items: str = "") -> Shape:
    graph = graph_of(model, items, "4x6x9")
    return graph.shape_of(graph.output)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ("identity[:3]", "3x6x9"),
        ("identity[1::2, :, :]", "2x6x9"),
        ("identity[:, 1::2, ::4]", "4x3x3"),
        ("relu -> identity[:, :1, width - 1:] -> relu", "4x1x1"),
        ("tokens -> identity[:1, :]", "1x4"),
        ("tokens -> identity[:1, 2:]", "1x2"),
        ("flatten -> identity[::5]", "44"),
        ("let x = identity[:, 2:, :]\nadd { x | x }", "4x4x9"),
        ("let x = identity\ntokens\nx[:, height - 2:, :]", "4x2x9"),  # the height of what is sliced
    ],
)
def test_the_shape_of_a_slice(model: str, shape: str) -> None:
    assert str(shape_of(model)) == shape


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ("all[1][:, ::2, ::2] -> tanh", "4x3x5"),
        ("let z = all[0][:2]\nadd { z | all[i + 1][2:] }", "2x6x9"),
        ("concat for one in all { one[:1] }", "2x6x9"),
        ("concat for part in all[1:] { part }", "4x6x9"),
    ],
)
def test_a_tensor_in_a_list_is_sliced(model: str, shape: str) -> None:
    assert str(shape_of(f"let x = relu\nlet y = tanh\nlet i = 0\nlet all = [x, y]\n{model}")) == shape


def fingerprint(model: str) -> str:
    return analyze_text(text_of(model, size="4x6x9")).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("identity[:3]", "slice(0, 3)"),
        ("identity[:3, :, :]", "slice(0, 3)"),
        ("tokens -> identity[:, 1:3]", "tokens -> slice(1, 3)"),
        ("identity[::3]", "identity[:4:3]"),
        ("identity[:, ::4, :]", "identity[:, :5:4, :]"),
        ("identity[:, :1:2, :]", "identity[:, :1, :]"),
        ("identity[:, 1::2, :]", "slice([0, 1, 0], [4, 6, 9], [1, 2, 1])"),
    ],
)
def test_two_spellings_of_a_slice_have_one_fingerprint(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)


def test_slices_of_channels_keep_their_fingerprint() -> None:
    assert fingerprint("let x = conv(8, 1)\nx[:4] -> relu") == "0df49315c3b7"


@pytest.mark.parametrize("odd", ["[1, 2, 3, 4, 5][::2]", "[0, 1, 2, 3, 4, 5, 6][1:6:2]"])
def test_lists_have_steps(odd: str) -> None:
    graph_of(f"for i in {odd} {{ conv(i, 1) }}\nidentity : 5x6x9", "assert params == 31", "4x6x9")


def test_what_is_called_identity_is_sliced_instead() -> None:
    assert str(shape_of("let identity = conv(8, 1)\nrelu\nidentity[:5]")) == "5x6x9"
    # A number can't be sliced, so the name passes over it.
    assert str(shape_of("identity[:identity]", "param identity = 2")) == "2x6x9"


@pytest.mark.parametrize(
    "model",
    [
        "identity[0]",
        "identity[:2][:1]",
        "identity[:, :]",
        "identity[:, 1, :]",
        "identity[:, :, :0]",
        "identity[:, :7, :]",
        "identity[:-1]",
        "identity[::0]",
        "identity[::-1]",
        "tokens -> identity[:, :, :]",
        "flatten -> identity[:, :1]",
        "for i in [1, 2, 3][1, 2] { relu }",
    ],
)
def test_what_is_no_slice(model: str) -> None:
    assert codes_of(text_of(model, size="4x6x9")) == ["E0210"]


def test_the_advice_for_a_wrong_number_of_axes_works() -> None:
    (error,) = errors_of(text_of("identity[:, :]", size="4x6x9"))
    assert error.help == ("write one slice for each axis: `identity[:, :, :9]`",)
    assert shape_of("identity[:, :, :9]") == Shape((4, 6, 9))


def test_an_unknown_tensor_gives_no_second_error() -> None:
    assert codes_of(text_of("conv(0, 1) -> identity[:, :, :99] -> identity[:, :]")) == ["E0304"]


def test_two_errors_are_both_reported() -> None:
    assert codes_of(text_of("let x = identity[:99]\nconv(8, 1) -> identity[:, :]")) == ["E0210", "E0210"]


def test_slices_of_huge_ranges_are_cheap() -> None:
    assert codes_of(text_of("flatten -> identity[:1_000_000_000:1]")) == ["E0210"]
    assert codes_of(text_of("flatten -> slice(0, 1_000_000_000, 7)")) == ["E0304"]
