"""W0202 to W0205 and W0207: warnings about the tensors of a network."""

import pytest
from helpers.findings import codes_and_places, fixed_text, inspected
from helpers.specs import TRAIN, text_of

HEAD = "flatten -> dense(10)"


# ---- W0202: tensors that go nowhere


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (f"let y = conv(8, 1)\n{HEAD}", "conv(8, 1)"),
        (f"let y = conv(8, 1) -> relu\n{HEAD}", "relu"),
        (f"let y = add {{ relu | identity }}\n{HEAD}", "add { relu | identity }"),
        (f"repeat 2 {{ let y = conv(8, 1)\nrelu -> conv(8, 1) }}\n{HEAD}", "conv(8, 1)"),
    ],
)
def test_an_unused_tensor(model: str, place: str) -> None:
    assert codes_and_places(text_of(model)) == [("W0202", place)]


@pytest.mark.parametrize(
    "model",
    [
        f"let y = conv(8, 1)\nconv(8, 1)\nadd {{ y | identity }}\n{HEAD}",
        f"let y = conv(8, 1)\ny -> {HEAD}",
        f"let y = conv(8, 1)\nconcat {{ y[:4] | identity }}\n{HEAD}",
        "flatten\nlet y = dense(10)\ny",  # the output
        # In the last round nothing takes it, in the others something does.
        f"let y = conv(8, 1)\nconv(8, 1)\nrepeat 2 {{ add {{ y | identity }}\ny = conv(8, 1) }}\n{HEAD}",
    ],
)
def test_a_used_tensor(model: str) -> None:
    assert codes_and_places(text_of(model)) == []


def test_a_block_whose_tensor_is_used_in_one_call() -> None:
    block = "block split(wide: bool) { let y = conv(8, 1)\nconv(8, 1)\nif wide { add { y | identity } } }"
    assert codes_and_places(text_of(f"split(true) -> split(false)\n{HEAD}", block)) == []
    assert codes_and_places(text_of(f"split(false) -> split(false)\n{HEAD}", block)) == [("W0202", "conv(8, 1)")]


# ---- W0203: biases before normalisations


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (f"conv(8, 1) -> bn -> relu\n{HEAD}", "conv(8, 1)"),
        (f"conv(8, 1, bias=true) -> bn -> relu\n{HEAD}", "conv(8, 1, bias=true)"),
        (f"conv(8, 1) as stem -> instancenorm\n{HEAD}", "conv(8, 1)"),
        (f"conv_transpose(8, 2) -> bn\n{HEAD}", "conv_transpose(8, 2)"),
        (f"let y = conv(8, 1)\ny -> bn -> relu -> {HEAD}", "conv(8, 1)"),
        ("flatten -> dense(16) -> bn -> relu -> dense(10)", "dense(16)"),
    ],
)
def test_a_bias_before_a_normalisation(model: str, place: str) -> None:
    assert codes_and_places(text_of(model)) == [("W0203", place)]


@pytest.mark.parametrize(
    "model",
    [
        f"conv(8, 1, bias=false) -> bn\n{HEAD}",
        f"conv(8, 1) -> relu -> bn\n{HEAD}",
        f"conv(8, 1) -> maxpool(2) -> bn\n{HEAD}",
        f"conv(8, 1) -> groupnorm(4)\n{HEAD}",  # the mean of several channels
        f"conv(8, 1) -> layernorm\n{HEAD}",
        f"bn -> bn\n{HEAD}",  # its offset can't be left out alone
        f"let y = conv(8, 1)\nadd {{ y -> bn | y }}\n{HEAD}",
        f"let y = conv(8, 1)\nadd {{ y -> bn | y -> relu }}\n{HEAD}",
    ],
)
def test_a_bias_that_has_an_effect(model: str) -> None:
    assert codes_and_places(text_of(model)) == []


def test_a_block_with_a_norm_after_only_one_call() -> None:
    block = "block unit(c: int) { conv(c, 1) }"
    assert codes_and_places(text_of(f"unit(8) -> bn -> unit(8) -> relu\n{HEAD}", block)) == []
    assert codes_and_places(text_of(f"unit(8) -> bn -> unit(8) -> bn\n{HEAD}", block)) == [("W0203", "conv(c, 1)")]


def test_parameters_of_all_calls_are_counted() -> None:
    text = text_of(f"unit(8) -> unit(1200)\n{HEAD}", "block unit(c: int) { conv(c, 1) -> bn }")
    (diagnostic,) = inspected(text).diagnostics
    assert diagnostic.notes == ("1,208 parameters have no effect",)


def test_blocks_of_the_library_are_not_reported() -> None:
    block = "preact_bottleneck_block(4)"
    assert codes_and_places(text_of(f"{block} -> {HEAD}")) == []


@pytest.mark.parametrize(
    "stage",
    [
        "conv(8, 1)",
        "conv(8, 1, bias=true)",
        "conv(8, 1, bias = true, pad=0)",
        "conv(8, 1) as stem : 8x8x8",
        "conv(\n    8,\n    1\n)",
        "conv(8, kernel=min(1, 2))",
    ],
)
def test_the_fix_removes_the_bias(stage: str) -> None:
    text = text_of(f"{stage} -> bn\n{HEAD}")
    after = fixed_text(text, also_unsafe=True)
    assert fixed_text(text) == text  # unsafe: it changes the network
    assert codes_and_places(after) == []
    assert "bias=false" in after.replace(" ", "")
    assert inspected(after).found.graph.cost.parameters == inspected(text).found.graph.cost.parameters - 8


@pytest.mark.parametrize(
    "stage",
    [
        "conv(8, 1, 1, 0, 1, 1, true)",
        "conv(8, 1, bias=with_bias)",
        "conv(8, 1, bias=not false)",
        "conv(8, 1,)",
        "conv(8, 1, frozen=bias)",
        "conv(8, 1, bias=(not false))",
        "conv(8, 1, bias_init=zeros)",
        "conv(8, (1))",
        "conv(8, 1  # bias=true\n)",
    ],
)
def test_the_fixed_spec_is_valid_and_has_no_bias(stage: str) -> None:
    text = text_of(f"{stage} -> bn\n{HEAD}", "param with_bias = true\nassert with_bias")
    assert [code for code, _ in codes_and_places(text)] == ["W0203"]
    after = fixed_text(text, also_unsafe=True)
    assert after == text or codes_and_places(after) == []
    assert "#" not in stage or "# bias=true" in after


def test_a_layer_that_is_passed_as_an_argument_has_no_fix() -> None:
    blocks = "block unit(f: block) { f(8) -> bn }\nblock pointwise(c: int) { conv(c, 1) }"
    text = text_of(f"unit(pointwise)\n{HEAD}", blocks)
    assert codes_and_places(text) == [("W0203", "conv(c, 1)")]
    assert "conv(c, 1, bias=false)" in fixed_text(text, also_unsafe=True)
    called = text_of(f"unit(dense) -> {HEAD}", "block unit(f: block) { flatten -> f(8) -> bn }")
    assert fixed_text(called, also_unsafe=True) == called


# ---- W0204: poolings that drop rows


@pytest.mark.parametrize(
    ("size", "stage", "lost"),
    [
        ("3x9x9", "maxpool(2)", "1 row and 1 column"),
        ("3x8x9", "maxpool(2)", "1 column"),
        ("3x9x8", "avgpool(2)", "1 row"),
        ("3x11x8", "avgpool(4)", "3 rows"),
        ("3x8x8", "maxpool(3, 2)", "1 row and 1 column"),
        ("3x8x8", "maxpool(3, 4, pad=0)", "1 row and 1 column"),
        ("3x8x8", "lppool(2, kernel=3)", "2 rows and 2 columns"),
    ],
)
def test_dropped_rows_and_columns(size: str, stage: str, lost: str) -> None:
    (diagnostic,) = inspected(text_of(f"{stage}\n{HEAD}", size=size)).diagnostics
    assert diagnostic.code == "W0204"
    assert f" drops {lost} of its input" in diagnostic.message


@pytest.mark.parametrize(
    ("size", "stage"),
    [
        ("3x8x8", "maxpool(2)"),
        ("3x9x9", "maxpool(2, ceil=true)"),
        ("3x9x9", "maxpool(3, 2)"),
        ("3x8x8", "maxpool(3, 2, pad=1)"),  # what is left over is padding
        ("3x9x9", "global_maxpool -> identity"),
        ("3x9x9", "adaptive_avgpool(4)"),
        ("3x9x9", "conv(8, 2, 2)"),
    ],
)
def test_nothing_is_dropped(size: str, stage: str) -> None:
    head = "dense(10)" if "global" in stage else HEAD
    assert codes_and_places(text_of(f"{stage}\n{head}", size=size)) == []


def test_one_call_that_drops_is_enough() -> None:
    text = text_of(f"unit -> unit\n{HEAD}", "block unit() { conv(8, 1) -> maxpool(2) }", size="3x10x10")
    (diagnostic,) = inspected(text).diagnostics
    assert diagnostic.code == "W0204"
    assert diagnostic.label.text == "the input is 8x5x5"


# ---- W0205: activations twice


@pytest.mark.parametrize(
    ("items", "model", "place"),
    [
        ("", f"relu -> relu\n{HEAD}", "relu"),
        ("", f"relu -> add {{ conv(3, 1) | relu }}\n{HEAD}", "relu"),  # of no effect, whatever else uses the first
        ("", f"leaky_relu(0.1) -> leaky_relu(0.2)\n{HEAD}", "leaky_relu(0.2)"),
        ("", f"let y = gelu\ny -> gelu -> {HEAD}", "gelu"),
        ("block unit(c: int) { conv(c, 1) -> relu }", f"unit(8)\nrelu\n{HEAD}", "relu"),
        ("block unit(act: block) { conv(8, 1) -> act }", f"unit(silu) -> silu\n{HEAD}", "silu"),
        ("block unit() { relu -> conv(8, 1) -> relu }", f"relu -> unit -> unit\n{HEAD}", "relu"),
    ],
)
def test_the_same_activation_twice(items: str, model: str, place: str) -> None:
    assert codes_and_places(text_of(model, items)) == [("W0205", place)]


@pytest.mark.parametrize(
    ("items", "model"),
    [
        ("", f"relu -> tanh\n{HEAD}"),
        ("", f"relu -> bn -> relu\n{HEAD}"),
        ("", f"add {{ relu | identity }} -> relu\n{HEAD}"),
        ("", f"add {{ relu | relu }}\n{HEAD}"),  # beside each other
        ("", f"tanh -> mul {{ identity | tanh }}\n{HEAD}"),  # the other branch needs the first
        ("", f"let x = gelu\nx -> concat {{ gelu | scale(-1) -> gelu }}\n{HEAD}"),
        ("block unit() { relu -> conv(8, 1) -> relu }", f"unit -> conv(8, 1) -> unit\n{HEAD}"),
        ("block unit() { relu -> conv(8, 1) -> relu }", f"unit -> unit\n{HEAD}"),  # not at the first call
    ],
)
def test_activations_with_a_layer_between_them(items: str, model: str) -> None:
    assert codes_and_places(text_of(model, items)) == []


def test_both_places_are_shown() -> None:
    (diagnostic,) = inspected(text_of(f"relu\nrelu\n{HEAD}")).diagnostics
    (first,) = diagnostic.secondary
    assert (first.span.line, diagnostic.label.span.line) == (5, 6)


# ---- W0207: softmax before the loss


@pytest.mark.parametrize(
    ("ending", "loss", "expected"),
    [
        ("dense(10) -> softmax", "cross_entropy", ["softmax"]),
        ("dense(10) -> softmax", "cross_entropy(label_smoothing=0.1)", ["softmax"]),
        ("dense(10) -> softmax", "focal", ["softmax"]),
        ("dense(10) -> softmax", "bce", ["softmax"]),
        ("dense(10) -> sigmoid", "bce", ["sigmoid"]),
        ("dense(10) -> softmax", "mse", []),
        ("dense(10) -> sigmoid", "cross_entropy", []),
        ("dense(10)", "cross_entropy", []),
        ("softmax -> dense(10)", "cross_entropy", []),
        ("dense(10) -> softmax -> dense(10)", "cross_entropy", []),
    ],
)
def test_softmax_before_the_loss(ending: str, loss: str, expected: list[str]) -> None:
    train = TRAIN.replace("}", f"loss {loss}\n}}")
    text = text_of(f"flatten -> {ending}", train, size="3x32x32")
    assert codes_and_places(text) == [("W0207", place) for place in expected]


def test_the_default_loss_counts_and_no_recipe_has_none() -> None:
    assert codes_and_places(text_of("flatten -> dense(10) -> softmax", TRAIN, size="3x32x32")) == [("W0207", "softmax")]
    assert codes_and_places(text_of("flatten -> dense(10) -> softmax", size="3x32x32")) == []
