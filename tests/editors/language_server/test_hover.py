"""The meaning of a word, and the shapes and costs of a stage."""

import pytest
from helpers.editor import editor, hovered, uri_of
from helpers.specs import TRAIN, text_of
from lsprotocol.types import Hover, MarkupContent

from cifar_dsl.editors.language_server.hover import hover

ITEMS = """\
# How *wide* it is, see ![](https://example.org/x.png) and `unit`.
param breadth = 8
# Convolves.
block unit(c: int, k: int = 1) { conv(c, k) -> relu }"""
TEXT = text_of("unit(breadth) -> unit(16)\nunit(16)\nlet y = conv(4, 1)\ny -> flatten\ndense(10)", ITEMS)
BROKEN = "\nmodel { (("


def asked(place: str, text: str = TEXT, **others: str) -> str:
    """The hover at the mark `§` in a part of the text."""
    assert place.replace("§", "") in text
    return hovered(text.replace(place.replace("§", ""), place, 1), **others)


def rows(shown: str) -> list[list[str]]:
    """The cells of the table, without its header."""
    lines = [line for line in shown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


# ---- meaning


@pytest.mark.parametrize("broken", ["", BROKEN])
@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("con§v(c", ["conv(channels, kernel, stride=1", "2-D convolution", "- `pad`: padding on each side"]),
        ("un§it(16)", ["block unit(c: int, k: int = 1)", "Convolves."]),
        ("unit(bread§th", ["param breadth = 8"]),
        ("param bread§th", ["param breadth = 8"]),
        ("conv(§c", ["c: int", "A parameter of the block `unit`"]),
        ("conv(c, §k", ["k: int = 1"]),
        ("(§c: int", ["c: int"]),
        ("let §y", ["let y = conv(4, 1)"]),
        ("§y ->", ["let y = conv(4, 1)"]),
    ],
)
def test_words_of_a_text(place: str, expected: list[str], broken: str) -> None:
    shown = asked(place, TEXT + broken)
    for part in expected:
        assert part in shown


def test_what_a_definition_hides() -> None:
    text = text_of("relu -> bn\nconv(4, 1)", "block relu() { tanh }\nparam bn = 3")
    assert "Hides the layer `relu`" in asked("re§lu -> bn", text)
    assert "Hides" not in asked("relu -> b§n", text)
    assert "block relu" not in asked("relu -> b§n", text)
    assert "batch" in asked("relu -> b§n", text).lower()


@pytest.mark.parametrize("broken", ["", BROKEN])
@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("conv(8, 1, §pad=same)", ["pad=0", "`pad`: padding on each side", "an argument of `conv`"]),
        ("conv(8, 1, init=norm§al(std=1))", ["normal(std=0.02)"]),
        ("conv(8, 1, init=normal(s§td=1))", ["an argument of `normal`"]),
        ("conv(8, 1, init=dir§ac)", ["dirac"]),
        ("conv(ma§x(1, 2), 1)", ["max(x, ...)", "The largest"]),
        ("con§cat { relu | bn }", ["concat(over=first) { ... | ... }", "branches"]),
        ("conv(in_chan§nels, 1)", ["channels of the current tensor"]),
        (
            "basic_bl§ock(8)",
            ["block basic_block(", "block of two 3x3 convolutions", "Defined in `library/residual.arch`"],
        ),
        ("basic_block(8, str§ide=2)", ["stride: int = 1", "A parameter of the block `basic_block`"]),
        ("for §k in [1, 3] { conv(8, k) }", ["for k in [1, 3]"]),
        ("for k in [1, 3] { conv(8, §k) }", ["for k in [1, 3]"]),
    ],
)
def test_words_of_the_language(model: str, expected: list[str], broken: str) -> None:
    shown = hovered(text_of(model) + broken)
    for part in expected:
        assert part in shown


def test_a_word_is_described_by_its_argument() -> None:
    assert "padding on each side" in hovered(text_of("conv(8, 1, pad=sa§me)"))
    assert "shortcut: identity | project" in hovered(text_of("basic_block(8, shortcut=proj§ect)"))
    assert "Number format of the forward" in hovered(text_of("relu") + "train { precision bf§16 }")


@pytest.mark.parametrize("broken", ["", BROKEN])
@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("opti§mizer", ["The optimizer and its learning rate.", "Takes one of `sgd`", "Required."]),
        ("ad§am(1", ["adam(lr", "- `lr`: "]),
        ("bat§ch", ["Images per batch;", "Takes an integer"]),
    ],
)
def test_words_of_recipes(recipe: str, expected: list[str], broken: str) -> None:
    shown = asked(recipe, text_of("flatten -> dense(10)", size="3x32x32") + TRAIN + broken)
    for part in expected:
        assert part in shown


def test_settings_show_their_value_here() -> None:
    text = text_of("flatten -> dense(10)", size="3x32x32") + TRAIN
    assert "Here: `adam(lr=0.001)`" in asked("opt§imizer", text)
    derived = 'arch test extends "base.arch"\ntrain { batch§ 128 }\n'
    assert "Here: `128`" in hovered(derived, base=text)
    assert "an argument of `adam`" in hovered(derived.replace("batch§ 128", "optimizer.l§r 1"), base=text)
    assert "an argument of `crop`" in hovered(derived.replace("batch§ 128", "augment.crop.padd§ing 1"), base=text)


def test_the_extended_spec() -> None:
    shown = hovered('arch test extends "ba§se.arch"\n', base="# The first.\n" + TEXT)
    assert "Extends `base.arch`" in shown
    assert "The first." in shown
    assert "3x8x8 to 10" in shown
    assert hovered('arch test extends "go§ne.arch"\n') == ""
    assert "baseline.arch" in hovered("arch test extends base§line\n")


def test_names_of_bases() -> None:
    text = 'arch test extends "base.arch"\nmodel { un§it(breadth) -> flatten -> dense(10) }\n'
    assert "Defined in `base.arch`" in hovered(text, base=TEXT)


def test_the_name_of_the_spec() -> None:
    shown = asked("arch te§st")
    assert "3x8x8 to 10, 3,086 parameters" in shown
    assert "Fingerprint `" in shown
    assert "A library of 1 blocks" in hovered("library te§st\nblock unit() { relu }\n")
    assert asked("arch te§st", TEXT.replace("dense", "dens")) == ""


@pytest.mark.parametrize("text", ["model §{ relu }", "# conv§", "conv(6§4, 1)", "gone§", "§"])
def test_offsets_without_a_description(text: str) -> None:
    assert hovered(text_of(text)) == ""


def test_unknown_words() -> None:
    assert hovered(text_of("go§ne(8)")) == ""
    assert hovered(text_of("conv(8, 1, go§ne=1)")) == ""
    assert hovered(text_of("relu") + "train { go§ne 1 }") == ""
    assert hovered(text_of("relu", "block unit(f: block) { f(go§ne=1) }")) == ""


def test_markup_in_a_spec_is_escaped() -> None:
    shown = asked("param bread§th")
    assert "How \\*wide\\* it is, see \\!\\[\\]\\(https://example.org/x.png\\) and `unit`." in shown
    shown = hovered(text_of("relu", "block un§it(\n# ```\n# ![](https://example.org/x.png)\nc: int) { relu }"))
    assert shown.startswith("````arch\nblock unit(")


def test_the_range_of_a_hover() -> None:
    found = hover(*editor(TEXT.replace("con§v", "").replace("conv(c", "con§v(c")))
    assert isinstance(found, Hover)
    assert found.range is not None
    assert (found.range.start.line, found.range.start.character, found.range.end.character) == (5, 33, 37)


# ---- shapes and costs


def test_a_stage_that_runs_once() -> None:
    assert rows(asked("den§se")) == [["once", "256", "10", "2,570", "2.56 k"]]
    assert rows(asked("unit(breadth) -> uni§t")) == [["once", "8x8x8", "16x8x8", "144", "8.19 k"]]


def test_a_stage_in_a_block_that_is_called_several_times() -> None:
    assert rows(asked("co§nv(c")) == [
        ["once", "3x8x8", "8x8x8", "32", "1.54 k"],
        ["once", "8x8x8", "16x8x8", "144", "8.19 k"],
        ["once", "16x8x8", "16x8x8", "272", "16.4 k"],
        ["3 x", "", "", "448", "26.1 k"],
    ]


def test_equal_rounds_share_a_row() -> None:
    shown = hovered(text_of("conv(8, 1)\nrepeat 5 { con§v(8, 1) }"))
    assert rows(shown) == [["5 x", "8x8x8", "8x8x8", "72", "4.1 k"], ["5 x", "", "", "360", "20.5 k"]]


def test_many_rows_are_cut() -> None:
    found = rows(hovered(text_of("for k in 1..40 { con§v(k, 1) }")))
    assert len(found) == 14
    assert found[12][0] == "27 more rows"
    assert found[13][0] == "39 x"


def test_a_block_shows_all_its_calls() -> None:
    assert rows(asked("block un§it"))[-1][3] == "448"
    derived = 'arch test extends "base.arch"\nblock un§it(c: int) { conv(c, 1) }\n'
    assert rows(hovered(derived, base=TEXT))[-1][0] == "3 x"


def test_a_join_includes_its_branches() -> None:
    shown = hovered(text_of("ad§d { conv(3, 1) | conv(3, 3, pad=1) -> bn }"))
    assert rows(shown) == [["once", "3x8x8, 3x8x8", "3x8x8", "102", "5.76 k"]]


def test_a_named_tensor() -> None:
    assert rows(asked("let §y")) == [["once", "16x8x8", "4x8x8", "68", "4.1 k"]]
    assert rows(asked("§y ->")) == []


def test_costs_of_the_last_valid_text() -> None:
    here = editor(TEXT)
    assert here.documents.analysis(here.path) is not None
    broken = TEXT.replace("unit(16)\nlet", "unit(16\nlet")
    here.documents.put(uri_of("test"), broken)
    found = hover(here.documents, here.path, broken.index("dense"))
    assert found is not None
    assert isinstance(found.contents, MarkupContent)
    assert rows(found.contents.value) == [["once", "256", "10", "2,570", "2.56 k"]]
    changed = hover(here.documents, here.path, broken.index("unit(16\n"))
    assert changed is not None
    assert isinstance(changed.contents, MarkupContent)
    assert rows(changed.contents.value) == []


def test_an_exit_has_a_weight_and_the_cost_of_its_head() -> None:
    text = text_of("let early = flatten -> dense(10) -> exit(0.3)\nflatten -> dense(10)")
    for place in ("ex§it(0.3)", "let ea§rly"):
        assert "Exit `early` of weight 0.3; training alone computes 1,930 parameters" in asked(place, text)


def test_a_tied_block_shows_its_uses() -> None:
    text = text_of("let §f = tied { conv(3, 1) }\nf -> relu -> f", "")
    found = hovered(text)
    assert "let f = tied { conv(3, 1) }" in found
    assert "| once | 3x8x8 | 3x8x8 | 12 |" in found
    assert "| 2 x |" in found
