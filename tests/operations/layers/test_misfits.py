"""What a layer or a join does not take, and what its message says."""

import pytest
from helpers.specs import errors_of, graph_of, text_of


@pytest.mark.parametrize(
    ("stages", "code", "marked", "help_text"),
    [
        ("hardtanh(1, -1)", "E0304", "1", "smaller number first"),
        ("slice(0, 3) -> glu", "E0302", "glu", "end the stage before it with 4"),
        ("flatten -> lppool(2, 2)", "E0306", "lppool(2, 2)", "put lppool before"),
        ("tokens -> adaptive_avgpool(2)", "E0306", "adaptive_avgpool(2)", "`grid`"),
        ("flatten -> global_avgpool", "E0306", "global_avgpool", "put global_avgpool before"),
        ("lppool(2, 7)", "E0307", "7", "use a kernel of at most 6"),
        ("maxpool(6x3) -> blurpool", "E0307", "blurpool", "at least 2"),
        ("flatten -> tokens", "E0306", "tokens", "put tokens before"),
        ("grid", "E0306", "grid", "`patches` or `tokens`"),
        ("pad_image([0, 2, 0, 0]) -> tokens -> grid", "E0304", "grid", "`grid(6x8)`"),
        ("pad_image([0, 2, 0, 0]) -> pixel_unshuffle(4)", "E0304", "4", "use factor=1, 2, or pad"),
        ("tokens -> grid(5x7)", "E0304", "5x7", "`grid(6x6)`"),
        ("tokens -> class_token -> grid", "E0304", "grid", "`grid(1x37)`"),
        ("flatten -> transpose", "E0306", "transpose", None),
        ("tokens -> token(36)", "E0304", "36", "at most 35"),
        ("slice(2, 2)", "E0304", "2", "a start of at most 1"),
        ("slice(2, stop=5)", "E0304", "5", "a stop of at most 4"),
        ("shuffle(3)", "E0302", "3", "use groups=1, 2, 4"),
        ("pad_image(6, reflect)", "E0304", "reflect", "a smaller padding"),
        ("pad_image([0, 7, 0, 0], pad_mode=circular)", "E0304", "circular", "a smaller padding"),
        ("pad_image([1, 2])", "E0304", "[1, 2]", None),
        ("tokens -> upsample(2)", "E0306", "upsample(2)", "`grid`"),
        ("pixel_shuffle(3)", "E0302", "3", "`conv(9, 1)`"),
        ("pixel_unshuffle(4)", "E0304", "4", "use factor=1, 2, 3, 6"),
        ("tokens -> channel_dropout", "E0306", "channel_dropout", "`grid`"),
        ("drop_path(1)", "E0304", "1", None),
        ("patches(8, 4)", "E0304", "4", "use size=1, 2, 3, 6"),
        ("patches(8, 2, init=whitening)", "E0304", "whitening", None),
        ("patches(8, 2, bias=false, frozen=bias)", "E0304", "bias", None),
        ("class_token", "E0306", "class_token", "`patches` or `tokens`"),
        ("position_embedding", "E0306", "position_embedding", "`patches` or `tokens`"),
        ("tokens -> class_token(kaiming)", "E0304", "kaiming", None),
        ("attention(2)", "E0306", "attention(2)", "`patches` or `tokens`"),
        ("tokens -> attention(3)", "E0302", "3", "use heads=1, 2, 4"),
    ],
)
def test_a_layer_says_what_it_does_not_take(stages: str, code: str, marked: str, help_text: str | None) -> None:
    (error,) = errors_of(text_of(stages, size="4x6x6"))
    assert error.code == code
    assert error.label
    assert error.label.span.text == marked
    assert not help_text or any(help_text in line for line in error.help)


@pytest.mark.parametrize(
    ("stages", "message", "help_text"),
    [
        ("add { identity | conv(8, 1) }", "of one shape", "`conv(4, 1)`"),
        ("add { identity | conv(4, 3) }", "of one shape", "`pad=same`"),
        ("add { identity | tokens }", "of one shape", "flatten both"),
        ("tokens -> add { identity | dense(8) }", "of one shape", "`dense(4)`"),
        ("tokens -> add { identity | class_token }", "of one shape", "as many tokens"),
        ("flatten -> add { identity | dense(8) }", "of one shape", "`dense(144)`"),
        ("mul { identity | conv(8, 1) -> global_avgpool }", "for each channel", "`dense(4)`"),
        ("mul { identity | conv(8, 1) -> global_avgpool(keep=true) }", "for each channel", "`conv(4, 1)`"),
        ("tokens -> mul { identity | token(0) -> dense(8) }", "for each channel", "`dense(4)`"),
        ("mul { identity | tokens }", "for each channel", "flatten both"),
        ("concat { identity | conv(4, 3) }", "of one height and width", "`pad=same`"),
        ("concat { identity | tokens }", "of one sort", "flatten both"),
        ("tokens -> concat { identity | dense(8) }", "of one number of features", "`dense(4)`"),
    ],
)
def test_a_join_says_why_branches_do_not_fit(stages: str, message: str, help_text: str) -> None:
    (error,) = errors_of(text_of(stages, size="4x6x6"))
    assert error.code == "E0308"
    assert message in error.message
    assert any(help_text in line for line in error.help)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pad_image([1, 1, 2, 2])", "pad_image(1x2)"),
        ("lppool(2, 2, 2)", "lppool(2.0, 2)"),
    ],
)
def test_two_ways_to_say_the_same_are_one_call(one: str, other: str) -> None:
    assert graph_of(one).nodes[0].operation == graph_of(other).nodes[0].operation
