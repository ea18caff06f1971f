"""Completion in every kind of place; the text around it rarely parses."""

import pytest
from helpers.editor import completed, editor, put_in
from lsprotocol.types import InsertTextFormat, MarkupContent

from cifar_dsl.compiler.types import TYPES
from cifar_dsl.editors.language_server.completion import completions
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.operations.layers import INITIALIZERS, JOINS, LAYERS
from cifar_dsl.operations.recipe import GROUP_SETTINGS, OPTIMIZERS, SETTINGS

SHIPPED = sorted(specs_directory().resolve().rglob("*.arch"))
HEAD = """\
arch a
input 3x32x32
# How wide it is.
param breadth = 8
# Convolves.
block unit(c: int, norm: none | before = none, act: block = relu) { conv(c, 3) -> act }
"""
BASE = """\
arch base
input 3x32x32
param wide = 8
block stem(c: int) { conv(c, 3) }
model { stem(wide) -> flatten -> dense(10) }
train {
    data cifar10
    epochs 1
    optimizer sgd(lr=0.1)
    augment crop(4) -> flip
}
"""
VALUES = {"breadth", "max", "len", "true", "false", "not"}  # everywhere in a text with HEAD
FLOW = {"in_channels", "height"}  # in bodies


def offered(text: str, **others: str) -> set[str]:
    return set(completed(text, **others))


# ---- files and bodies


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("§", {"arch", "library"}),
        ("ar§", {"arch", "library"}),
        ("# comment\n§", {"arch", "library"}),
        ("arch §", set()),
        ("arch a §", {"extends"}),
        (HEAD + "§", {"input", "param", "block", "model", "train", "assert"}),
        (HEAD + "mo§", {"input", "param", "block", "model", "train", "assert"}),
        (HEAD + "param §", set()),
        (HEAD + "block §", set()),
        (HEAD + "block n(§", set()),
        (HEAD + "block n(c: §", set(TYPES)),
        (HEAD + "block n(c: int | §", set(TYPES)),
        (HEAD + "model { let §", set()),
        (HEAD + "model { for §", set()),
        (HEAD + "model { for (a, §", set()),
        (HEAD + "model { for i §", {"in"}),
        (HEAD + "model { conv(8, 1) §", {"as"}),
        (HEAD + "model { conv(8, 1) as §", set()),
        (HEAD + "model { if x { relu } else §", {"if"}),
        (HEAD + "model { conv(64§", set()),
        (HEAD + "model { conv(8, 1) # relu §", set()),
        (HEAD + "model { if breadth §", {"and", "or", "if", "else"}),
    ],
)
def test_offsets_with_few_suggestions(text: str, expected: set[str]) -> None:
    assert offered(text) == expected


@pytest.mark.parametrize(
    "place",
    ["§", "\n§", "co§", "relu -> §", "relu ->\n§", "add { relu | §", "repeat 2 { §", "let y = §", "let y = bn -> §"],
)
@pytest.mark.parametrize("behind", ["", " flatten }", "\n flatten\n}\nmodel"])
def test_stages(place: str, behind: str) -> None:
    found = offered(f"{HEAD}model {{ {place}{behind}")
    assert {*LAYERS, *JOINS, "unit", "basic_block", "repeat", "for", "if"} <= found
    is_start = not place.endswith("-> §") and "->\n" not in place
    assert ("let" in found) == is_start


def test_named_tensors_start_chains() -> None:
    assert "y" in offered(HEAD + "model { let y = relu\n§")
    assert "y" in offered(HEAD + "model { let y = relu\nadd { bn | §")
    assert "y" not in offered(HEAD + "model { let y = relu\nbn -> §")
    assert "y" not in offered(HEAD + "model { repeat 2 { let y = relu }\n§")


def test_block_parameters_that_can_be_stages() -> None:
    found = offered(HEAD + "block n(c: int, act: block, x: tensor, any) { §")
    assert {"act", "x", "any"} <= found
    assert "c" not in found


def test_params_with_a_block_as_value_are_stages() -> None:
    text = HEAD + "param kind = unit\nparam act = relu\nmodel { §"
    assert {"kind", "act"} <= offered(text)
    assert "breadth" not in offered(text)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("param other = §", {"unit", "relu"}),
        ("param other = 2 * §", set()),
        ("assert §", {"params", "macs"}),
        ("assert params < §", {"params", "macs"}),
        ("model { repeat §", FLOW),
        ("model { if §", FLOW),
        ("model { if breadth == §", FLOW),
        ("model { for i in §", FLOW),
        ("model { for i in 0..§", FLOW),
        ("model { for i in [1, §", FLOW),
        ("model { let k = in_channels // §", FLOW),
        ("model { let y = §", FLOW),
        ("model { relu -> repeat §", FLOW),
        ("block n(c: int, k: int = §", FLOW | {"c"}),
        ("block n(c: int) { conv(§", FLOW | {"c"}),
        ("train { batch §", set()),
        ("train { batch 2 * §", set()),
        ("train { optimizer sgd(lr=§", set()),
    ],
)
def test_values(text: str, more: set[str]) -> None:
    found = offered(HEAD + text)
    assert VALUES | more <= found


def test_words_after_a_comparison() -> None:
    assert {"none", "before"} <= offered(HEAD + "block n(norm: none | before) { if norm == §")
    assert {"relu", "unit"} <= offered(HEAD + "block n(act: block) { if act != §")
    assert "none" not in offered(HEAD + "block n(norm: none | before) { if norm > §")


# ---- arguments


def test_arguments_that_are_not_passed_yet() -> None:
    names = {"channels=", "kernel=", "stride=", "pad=", "bias=", "init="}
    assert names <= offered(HEAD + "model { conv(§")
    found = offered(HEAD + "model { conv(8, 3, bias=false, §, pad=1)")
    assert {"stride=", "init="} <= found
    assert not found & {"channels=", "kernel=", "bias=", "pad="}


def test_arguments_are_in_the_order_of_the_call() -> None:
    items = sorted(completed(HEAD + "model { conv(8, §").values(), key=lambda item: item.sort_text or "")
    assert [item.label for item in items][:3] == ["kernel=", "stride=", "pad="]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("conv(8, 3, pad=§", {"same"}),
        ("conv(8, 3, 1, §", {"same", "pad="}),
        ("conv(8, 3, bias=§", {"true", "false"}),
        ("conv(8, 3, init=§", set(INITIALIZERS) - {"sine"}),
        ("conv(8, 3, init=kaiming(§", {"mode=", "distribution="}),
        ("conv(8, 3, init=kaiming(mode=§", {"fan_in", "fan_out"}),
        ("conv(8, 3, frozen=w§", {"none", "weight", "bias", "all"}),
        ("unit(§", {"c=", "norm=", "act="}),
        ("unit(8, §", {"none", "before", "norm=", "act="}),
        ("unit(8, norm=§", {"none", "before"}),
        ("unit(8, act=§", {"relu", "gelu", "unit", "basic_block"}),
        ("basic_block(8, §", {"stride=", "shortcut="}),
        ("basic_block(8, shortcut=§", {"identity", "project", "pad", "auto"}),
        ("unknown(§", {"breadth"}),
        ("round_to(§", {"breadth"}),
    ],
)
def test_values_of_arguments(call: str, expected: set[str]) -> None:
    assert expected <= offered(f"{HEAD}model {{ {call}")
    assert expected <= offered(f"{HEAD}model {{ {call})\n flatten\n}}\n")


def test_words_of_other_arguments_are_not_offered() -> None:
    assert "same" not in offered(HEAD + "model { conv(8, 3, bias=§")
    assert "flip" not in offered(HEAD + "train { optimizer §")


def test_types_restrict_defaults() -> None:
    assert {"none", "before"} <= offered(HEAD + "block n(norm: none | before = §")
    assert {"relu", "unit"} <= offered(HEAD + "block n(act: block = §")
    assert "dirac" in offered(HEAD + "block n(first: init = §")
    assert "dirac" not in offered(HEAD + "block n(c: int = §")


# ---- recipes


def test_settings_that_are_not_set_yet() -> None:
    assert offered(HEAD + "train {\n§\n}") == {*SETTINGS, "group"}
    found = offered(HEAD + "train {\n batch 8\n opt§\n epochs 1\n}")
    assert found == {*SETTINGS, "group"} - {"batch", "epochs"}
    assert offered(HEAD + "train { group g {\n select bias\n §\n}") == {*GROUP_SETTINGS} - {"select"}


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("optimizer §", set(OPTIMIZERS)),
        ("group g {\n optimizer §", set(OPTIMIZERS)),
        ("optimizer sgd(§", {"lr=", "momentum="}),
        ("optimizer adam(1e-3)\n optimizer.§", {"lr", "betas"}),
        ("augment §", {"crop", "flip", "none"}),
        ("augment crop(4) -> §", {"crop", "flip"}),
        ("augment crop(4, mode=§", {"reflect"}),
        ("schedule §", {"cosine", "linear", "constant"}),
        ("loss cross_entropy(§", {"label_smoothing=", "reduction="}),
        ("clip §", {"norm", "value", "none"}),
        ("precision §", {"fp32", "bf16", "fp16"}),
        ("drop_last §", {"true", "false"}),
        ("data §", {"cifar10", "shapes"}),
        ("group g {\n select §", {"filter", "bias", "norm"}),
        ("group g {\n select [bias, §", {"filter", "norm"}),
    ],
)
def test_values_of_settings(recipe: str, expected: set[str]) -> None:
    assert expected <= offered(f"{HEAD}train {{\n {recipe}")
    assert expected <= offered(f"{HEAD}train {{\n {recipe}\n}}\n")


def test_a_setting_with_a_choice_offers_no_second_one() -> None:
    assert offered(HEAD + "train { optimizer sgd(1) §") == set()
    assert "none" not in offered(HEAD + "train { augment crop(4) -> §")


# ---- other files


def test_specs_that_can_be_extended() -> None:
    found = completed("arch a extends §", base=BASE)
    assert "baseline" in found
    assert "convolution" not in found  # a library
    assert found["base.arch"].insert_text == '"base.arch"'


@pytest.mark.parametrize("written", ['"§', '"§"', '"ba§"', '"ba§se', '"§base.arch"  # why'])
def test_files_in_quotes(written: str) -> None:
    text = f"arch test extends {written}\nmodel {{ }}\n"
    here = editor(text, base=BASE)
    (item,) = completions(*here, snippets=True)
    assert item.text_edit is not None
    after = put_in(here.text(), [item.text_edit])
    assert after == f'arch test extends "base.arch"{"  # why" if "why" in text else ""}\nmodel {{ }}\n'


def test_other_quotes_hold_no_files() -> None:
    assert offered(HEAD + 'train { group g { select "§', base=BASE) == set()


def test_definitions_of_bases() -> None:
    head = 'arch a extends "base.arch"\n'
    assert {"wide"} == offered(head + "param §", base=BASE)
    assert {"stem"} == offered(head + "block §", base=BASE)
    stem = completed(head + "block §", base=BASE)["stem"]
    assert (stem.insert_text, stem.detail) == ("stem(c: int) { }", "block base.arch")
    assert offered(head + "param wide = 1\nparam §", base=BASE) == set()
    assert {"wide"} <= offered(head + "param wide = §", base=BASE)
    assert {"stem"} <= offered(head + "model { §", base=BASE)
    assert {"c="} <= offered(head + "model { stem(§", base=BASE)
    assert {"lr", "momentum"} <= offered(head + "train { optimizer.§", base=BASE)
    assert {"crop", "flip", "padding"} <= offered(head + "train { augment.§", base=BASE)
    assert {"padding"} <= offered(head + "train { augment.crop.§", base=BASE)
    assert {"reflect"} <= offered(head + "train { augment.crop.mode §", base=BASE)
    assert "p" not in offered(head + "train { augment.crop.§", base=BASE)


def test_an_own_block_shadows_one_of_the_library() -> None:
    own = completed(HEAD.replace("block unit", "block basic_block") + "model { §")["basic_block"]
    assert own.detail == "block"
    assert completed(HEAD + "model { §")["basic_block"].detail == "block library/residual.arch"


def test_an_unfinished_word_is_no_definition() -> None:
    assert "brea" not in offered(HEAD + "param other = brea§")
    assert "bread" not in offered(HEAD + "param bread§\nparam other = 1\n")


# ---- comments


def test_codes_of_warnings() -> None:
    assert "W0203" in offered(HEAD + "# allow: §")
    assert "W0203" in offered(HEAD + "# allow: W0204, W§")
    assert "E0201" not in offered(HEAD + "# allow: §")
    assert offered(HEAD + "# allowed: §") == set()


# ---- how it is shown and put in


def documentation(text: str, word: str) -> str:
    content = completed(text)[word].documentation
    return content.value if isinstance(content, MarkupContent) else ""


def test_documentation() -> None:
    assert "2-D convolution" in documentation(HEAD + "model { §", "conv")
    assert "block unit(c: int" in documentation(HEAD + "model { §", "unit")
    assert "Convolves." in documentation(HEAD + "model { §", "unit")
    assert "How wide it is." in documentation(HEAD + "param x = §", "breadth")
    assert "output channels" in documentation(HEAD + "model { conv(§", "channels=")
    assert "The optimizer and its learning rate." in documentation(HEAD + "train { §", "optimizer")
    assert "learning rate" in documentation(HEAD + "train { optimizer §", "sgd")
    assert completed(HEAD + "model { §")["conv"].detail == "layer"
    assert completed(HEAD + "model { conv(§")["in_channels"].detail


def test_snippets_if_the_editor_supports_them() -> None:
    found = completed(HEAD + "model { §", snippets=True)
    assert (found["conv"].insert_text, found["conv"].insert_text_format) == ("conv($0)", InsertTextFormat.Snippet)
    assert (found["bn"].insert_text, found["bn"].insert_text_format) == ("bn", None)  # needs no arguments
    assert found["add"].insert_text == "add {\n    $1\n  | $0\n}"
    plain = completed(HEAD + "model { §")
    assert {item.insert_text_format for item in plain.values()} == {None}
    assert plain["conv"].insert_text == "conv"


def test_no_second_brackets_before_a_bracket() -> None:
    assert completed(HEAD + "model { con§(8, 1) }", snippets=True)["conv"].insert_text == "conv"


def test_a_head_is_escaped_in_a_snippet() -> None:
    base = BASE.replace("block stem(c: int)", "block stem(c: int = 1 # $1 {x}\n)")
    item = completed('arch a extends "base.arch"\nblock §', snippets=True, base=base)["stem"]
    assert item.insert_text == "stem(c: int = 1 # \\$1 {x\\}\n) {\n    $0\n}"


def test_a_tied_block_is_a_stage_anywhere() -> None:
    head = HEAD + "block b(g: block) { g }\nmodel { let again = tied { conv(3, 1) }\nlet tensor = relu\n"
    in_a_chain = completed(head + "relu -> §")
    assert "again" in in_a_chain
    assert "tensor" not in in_a_chain
    assert "again" in completed(head + "b(§")
