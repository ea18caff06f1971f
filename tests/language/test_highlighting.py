"""The Pygments lexer agrees with the parser's lexer."""

import re
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from helpers.highlighted import check_tokens
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename, guess_lexer
from pygments.token import Keyword, Name, Number

from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.language.highlighting import (
    CONSTANTS,
    GROUP_SETTINGS,
    OPERATORS,
    SETTINGS,
    STATEMENTS,
    ArchLexer,
    html_of_source,
)
from cifar_dsl.language.syntax import KEYWORDS
from cifar_dsl.operations.recipe import settings as recipe_settings

SHIPPED = sorted(specs_directory().rglob("*.arch"))


def test_the_words_match_the_language():
    assert set(CONSTANTS + OPERATORS + STATEMENTS) == KEYWORDS
    assert set(SETTINGS) == recipe_settings.SETTINGS.keys()
    assert set(GROUP_SETTINGS) == recipe_settings.GROUP_SETTINGS.keys()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_specs_have_the_same_tokens(path):
    check_tokens(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        "0..5", "1.5e-3", "5M", "3x3", "3x32x32x1", "1_000k", "a->b", "a==b", "x//2", "x<=y", "format",
        "as_is", "in_channels", "trainer {}", "train{batch 8}", "train { group a { optimizer sgd(0.1) } }\nbatch 8",
        "#", "# caf\u00e9 \u2192", '"a # b"', "arch\ta",
        "arch\r\nb", "", "\n\n", "-3", "--3", "x[:16]", "(a,b)", "let data = 3", "param loss=3",
    ],
)  # fmt: skip
def test_corner_cases_have_the_same_tokens(text):
    check_tokens(text)


@pytest.mark.parametrize("text", ["$", "'", '"open', "\u2192", "}", "}}}{", "train { ; }"])
def test_invalid_text_is_kept(text):
    assert "".join(value for _, _, value in ArchLexer().get_tokens_unprocessed(text)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("arch tiny extends baseline", {Name.Namespace: "tiny baseline"}),
        ("param width = 16", {Name.Variable: "width"}),
        (
            "block f(c: int, n: none | before = none, act: block=relu) { conv(c) }",
            {Name.Function: "f conv", Name.Variable: "c n act", Keyword.Type: "int"},
        ),
        (
            "block f(\n  a = 1,\n  b: tensor\n) {\n  a\n}",
            {Name.Function: "f a", Name.Variable: "a b", Keyword.Type: "tensor"},
        ),
        (
            "model { conv(8, pad=same, init=normal(std = 1)) }",
            {Name.Function: "conv normal", Name.Variable: "pad init std"},
        ),
        ("model {\n  bn -> relu\n  flatten\n}", {Name.Function: "bn relu flatten"}),
        ("model { add { identity | x[:16] -> gelu } }", {Name.Function: "add identity gelu"}),
        ("model { if height == 4 { bn as b } }", {Name.Function: "bn", Name.Label: "b"}),
        (
            "model {\n  let y = bn -> relu\n  y = gelu -> relu\n}",
            {Name.Variable: "y y", Name.Function: "bn relu gelu relu"},
        ),
        ("model { for c in widths { dense(c) } }", {Name.Variable: "c", Name.Function: "dense"}),
        (
            "train {\n  batch batch\n  data  cifar10\n  optimizer.lr 0.1\n  loss f(epochs=1)\n}\nparam epochs = 1",
            {
                Name.Attribute: "batch data optimizer lr loss",
                Name.Function: "batch cifar10 f",
                Name.Variable: "epochs epochs",
            },
        ),
        (
            "train # the recipe\n{ group g { select bias\n data 2 }\n augment crop(4) -> flip }\nmodel { data(3) }",
            {Name.Variable: "g", Name.Attribute: "select augment", Name.Function: "bias crop flip data"},
        ),
        ("model { f(1 -> bn }\ntrain { epochs 3 }", {Name.Function: "f", Name.Attribute: "epochs"}),
        ("input 3x32x32", {Number: "3x32x32"}),
        ("assert macs < 5M", {Number.Integer: "5M"}),
        ("assert 1.5k + 1e-3", {Number.Float: "1.5k 1e-3"}),
    ],
)
def test_words_are_distinguished(text, words):
    found = dict.fromkeys(words, "")
    for _, token, value in ArchLexer().get_tokens_unprocessed(text):
        if token in words or (token in Name and token is not Name):
            found[token] = f"{found.get(token, '')} {value}".strip()
    assert found == words


@pytest.mark.parametrize("ground", ["#ffffff", "#111111"])
def test_colours_are_readable_on_white_and_on_black(ground):
    """WCAG 2 (1.4.3) asks for a contrast of 4.5; on both backgrounds at once, the highest possible is 4.35."""
    html = "".join(html_of_source(path.read_text(encoding="utf-8")) for path in SHIPPED)
    colours = set(re.findall(r"color: (#\w+)", html))
    assert len(colours) >= 7
    assert "background" not in html
    for colour in colours:
        darker, lighter = sorted([luminance(colour), luminance(ground)])
        assert (lighter + 0.05) / (darker + 0.05) > 4.3, colour


def luminance(colour: str) -> float:
    """The relative luminance of a colour such as `#ffffff`, from 0 to 1 (WCAG 2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_spec_is_detected_by_its_text(path):
    assert isinstance(guess_lexer(path.read_text(encoding="utf-8")), ArchLexer)


@pytest.mark.parametrize("text", ["", "architecture\n", "arch = 3\n", "the arch baseline\n", "library(dplyr)\n"])
def test_other_text_is_not_detected(text):
    assert ArchLexer.analyse_text(text) == 0


def test_pygments_finds_the_lexer():
    (entry,) = [entry for entry in entry_points(group="pygments.lexers") if entry.name == "arch"]
    assert entry.load() is ArchLexer
    assert isinstance(get_lexer_by_name("arch"), ArchLexer)
    assert isinstance(get_lexer_for_filename("residual.arch"), ArchLexer)


def test_loading_the_lexer_imports_nothing_else():
    found = "sorted(name for name in sys.modules if name.startswith(('cifar_dsl', 'lark')))"
    code = f"import sys, cifar_dsl.language.highlighting; print(*{found})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert result.stdout.split() == ["cifar_dsl", "cifar_dsl.language", "cifar_dsl.language.highlighting"]
