"""W0210 and W0211: shapes and arguments in the order of other frameworks."""

from pathlib import Path

import pytest
from helpers.findings import codes_and_places, fixed_text, inspected
from helpers.specs import text_of

from cifar_dsl.compiler.lints import inspect
from cifar_dsl.foundation.resources import specs_directory

HEAD = "flatten -> dense(10)"


@pytest.mark.parametrize("size", ["32x32x3", "28x28x1", "64x64x4", "480x640x3", "96x128x3", "16x16x3"])
def test_channels_last(size: str) -> None:
    text = text_of(HEAD, size=size)
    assert codes_and_places(text) == [("W0210", size)]
    height, width, channels = size.split("x")
    after = fixed_text(text, also_unsafe=True)
    assert f"input {channels}x{height}x{width}\n" in after
    assert codes_and_places(after) == []


@pytest.mark.parametrize("size", ["3x32x32", "1x28x28", "9x128x1", "64x3x3", "8x8x4", "16x16x16", "64x32x4", "12x12x3"])
def test_channels_first(size: str) -> None:
    assert codes_and_places(text_of(HEAD, size=size)) == []


@pytest.mark.parametrize(
    ("stage", "meant"),
    [
        ("conv(3, 32, 3)", "conv(32, 3)"),
        ("conv(3, 16, 3, 1, 1)", "conv(16, 3, 1, 1)"),
        ("conv(3, 32, 1)", "conv(32, 1)"),
        ("conv(3, 8, 5, bias=false)", "conv(8, 5, bias=false)"),
        ("conv(3, 12, 3)", "conv(12, 3)"),  # each stride that is a common kernel
        ("conv(3, 12, 5)", "conv(12, 5)"),
        ("conv(3, 12, 7)", "conv(12, 7)"),
        ("conv(3, 12, 9)", "conv(12, 9)"),
        ("conv(3, 12, 11)", "conv(12, 11)"),
        ("conv(3, 16, 2)", "conv(16, 2)"),  # no kernel is this wide
        ("conv_transpose(3, 16, 3)", "conv_transpose(16, 3)"),
    ],
)
def test_input_channels(stage: str, meant: str) -> None:
    text = text_of(f"{stage}\n{HEAD}", size="3x32x32")
    assert codes_and_places(text) == [("W0211", stage)]
    assert fixed_text(text, also_unsafe=True) == text_of(f"{meant}\n{HEAD}", size="3x32x32")
    assert fixed_text(text) == text


@pytest.mark.parametrize(
    "stages",
    [
        "conv(3, 3, 1)",
        "conv(3, 3, 2)",
        "conv(3, 16, 16)",
        "conv(3, 9, 2)",
        "conv(3, 31, 1, pad=15, groups=3)",
        "conv(3, 16, stride=3)",
        "conv(3, 15, 2)",
        "conv(4, 1) -> conv(4, 9, 3, groups=2)",
        "conv(8, 16, 3)",
        "conv(32, 3, 3) -> conv(32, 4, 4)",
    ],
)
def test_output_channels(stages: str) -> None:
    assert codes_and_places(text_of(f"{stages}\n{HEAD}", size="3x32x32")) == []


def test_a_place_counts_only_if_all_its_layers_look_swapped() -> None:
    block = "block unit(c) { conv(c, 16, 3) }"
    assert codes_and_places(text_of(f"unit(3)\n{HEAD}", block, "3x64x64")) == [("W0211", "conv(c, 16, 3)")]
    assert codes_and_places(text_of(f"unit(3) -> unit(4)\n{HEAD}", block, "3x64x64")) == []


@pytest.mark.parametrize(
    ("stages", "size", "help_text"),
    [
        ("conv(3, 64, 3)", "3x32x32", "`conv(64, 3)`"),
        ("conv(32, 3) -> conv(32, 64, 3)", "3x32x32", "`conv(64, 3)`"),
        ("conv(8, 5)", "32x32x3", "write the channels of the input first: `input 3x32x32`"),
    ],
)
def test_an_error_that_follows_names_the_order(stages: str, size: str, help_text: str) -> None:
    (diagnostic,) = inspected(text_of(f"{stages}\n{HEAD}", size=size)).diagnostics
    assert diagnostic.code == "E0307"
    assert help_text in diagnostic.help[0]


@pytest.mark.parametrize("path", sorted(specs_directory().rglob("*.arch")), ids=lambda path: path.stem)
def test_no_shipped_spec_is_suspected(path: Path) -> None:
    codes = {diagnostic.code for diagnostic in inspect(path, specs_directory()).diagnostics}
    assert not codes & {"W0208", "W0209", "W0210", "W0211", "E0311"}


def test_a_refused_padding_is_no_other_error() -> None:
    assert codes_and_places(text_of("conv(3, 8, 3, same)", size="3x32x32")) == [("E0304", "8")]
