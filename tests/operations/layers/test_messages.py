"""All that layers and joins say of what they don't take, held against its whole wording.

`messages.txt` holds the stages and what is said of them; `pytest tests/operations/layers --update-golden` writes it.
"""

from pathlib import Path

import pytest
from helpers.specs import errors_of, text_of

from cifar_dsl.language.diagnostics import Diagnostic

MESSAGES = Path(__file__).with_name("messages.txt")
STAGES = (
    "hardtanh(1, -1)", "slice(0, 3) -> glu", "flatten -> slice(0, 3) -> glu", "tokens -> slice(0, 3) -> glu",
    # windows
    "conv(8, 7)", "conv(8, 3x7)", "conv(8, 7x3, pad=0x1)", "conv(8, 3, dilation=3)", "conv(8, 9, pad=1)",
    "conv(8, 4, pad=same)", "conv(8, 3x2, pad=same)", "conv(8, 3, groups=3)", "conv(6, 3, groups=4)",
    "conv(8, 3, pad=6, pad_mode=reflect)", "conv(8, 3, pad=0x7, pad_mode=circular)",
    "conv(8, 3, init=whitening, groups=2)",
    "conv(7, 3, init=whitening)", "conv(80, 3, init=whitening)", "conv(8, 3, bias=false, frozen=bias)",
    "conv_transpose(8, 3, output_pad=1)", "conv_transpose(8, 3, stride=2, output_pad=2)", "conv_transpose(8, 1, pad=4)",
    "conv_transpose(8, 3, groups=3)", "conv_transpose(6, 3, groups=4)", "conv_transpose(8, 3, init=whitening)",
    "conv_transpose(8, 3, bias=false, frozen=bias)", "maxpool(3, pad=2)", "maxpool(2x3, pad=0x2)", "avgpool(2, pad=2)",
    "lppool(2, 7)", "maxpool(7)", "maxpool(6x3) -> blurpool", "maxpool(1x6) -> blurpool", "avgpool(3x7)",
    # images, tokens, vectors
    "flatten -> conv(8, 1)", "tokens -> conv(8, 1)", "flatten -> conv_transpose(8, 1)", "flatten -> maxpool(2)",
    "flatten -> lppool(2, 2)", "tokens -> adaptive_avgpool(2)", "flatten -> adaptive_maxpool(2)",
    "flatten -> global_avgpool", "flatten -> global_maxpool", "flatten -> tokens", "tokens -> tokens", "grid",
    "flatten -> grid", "flatten -> transpose", "transpose", "tokens -> upsample(2)", "flatten -> upsample(2)",
    "tokens -> channel_dropout", "flatten -> pad_image(1)", "flatten -> pixel_shuffle(2)",
    "tokens -> pixel_unshuffle(2)",
    "flatten -> shuffle(2)", "class_token", "flatten -> class_token", "position_embedding", "attention(2)",
    "flatten -> attention(2)", "token(0)", "flatten -> token(0)", "dense(8)", "flatten -> patches(8, 2)",
    # sizes and counts
    "pad_image([0, 2, 0, 0]) -> tokens -> grid", "tokens -> grid(5x7)", "tokens -> grid(4)", "tokens -> token(36)",
    "slice(2, 2)", "slice(2, stop=5)", "flatten -> slice(0, 200)", "shuffle(3)", "pad_image(6, reflect)",
    "pad_image([0, 7, 0, 0], pad_mode=circular)", "pad_image([1, 2])", "pixel_shuffle(3)", "pixel_unshuffle(4)",
    "patches(8, 4)", "patches(8, 2, init=whitening)", "patches(8, 2, bias=false, frozen=bias)",
    "tokens -> attention(3)",
    "tokens -> class_token(kaiming)", "drop_path(1)", "flatten -> dense(8, init=whitening)",
    "flatten -> dense(8, bias=false, frozen=bias)", "slice(0, 1) -> conv(1, 1, init=unit_variance)",
    # norms
    "bn(affine=false, frozen=all)", "tokens -> bn", "groupnorm(3)", "tokens -> groupnorm(2)",
    "flatten -> groupnorm(144)",
    "global_avgpool -> groupnorm(4)", "global_avgpool -> instancenorm", "tokens -> instancenorm",
    "global_avgpool(keep=true) -> instancenorm", "rmsnorm",
    "layernorm(affine=false, frozen=weight)", "groupnorm(2, affine=false, frozen=bias)",
    # joins
    "add { identity | conv(8, 1) }", "add { identity | conv(4, 3) }", "add { identity | tokens }",
    "add { identity | identity | flatten }", "tokens -> add { identity | dense(8) }",
    "tokens -> add { identity | class_token }", "flatten -> add { identity | dense(8) }",
    "mul { identity | conv(8, 1) -> global_avgpool }", "mul { identity | conv(8, 1) -> global_avgpool(keep=true) }",
    "tokens -> mul { identity | token(0) -> dense(8) }", "mul { identity | tokens }", "mul { identity | conv(4, 3) }",
    "flatten -> mul { dense(8) | dense(4) }", "tokens -> mul { identity | dense(8) }",
    "concat { identity | conv(4, 3) }", "concat { identity | tokens }", "concat { identity | identity | flatten }",
    "tokens -> concat { identity | dense(8) }",
)  # fmt: skip


def told(error: Diagnostic) -> str:
    assert error.label
    lines = [f"{error.code} {error.message}", f"at `{error.label.span.text}`: {error.label.text}".removesuffix(": ")]
    lines += [f"also `{label.span.text}`: {label.text}".removesuffix(": ") for label in error.secondary]
    lines += [f"help: {line}" for line in error.help]
    return "\n".join(f"    {line}" for line in lines)


@pytest.fixture(scope="module")
def expected(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.config.getoption("--update-golden"):
        said = {stages: "\n".join(map(told, errors_of(text_of(stages, size="4x6x6")))) for stages in STAGES}
        MESSAGES.write_text("".join(f"{stages}\n{text}\n\n" for stages, text in said.items()), encoding="utf-8")
    entries = MESSAGES.read_text(encoding="utf-8").strip().split("\n\n")
    return dict(entry.split("\n", 1) for entry in entries)


@pytest.mark.parametrize("stages", STAGES)
def test_this_is_said(stages: str, expected: dict[str, str]) -> None:
    assert "\n".join(map(told, errors_of(text_of(stages, size="4x6x6")))) == expected[stages]


def test_every_expectation_belongs_to_stages(expected: dict[str, str]) -> None:
    assert list(expected) == list(STAGES)
