"""The lexer for Pygments agrees with the language's own."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from helpers import trees
from helpers.networks import specs
from hypothesis import given, settings
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, Punctuation, String, Whitespace

from cifar_dsl.highlighting import CONSTANTS, OPERATORS, SETTINGS, STATEMENTS, ArchLexer
from cifar_dsl.resources import specs_directory
from cifar_dsl.syntax import KEYWORDS, SETTING_WORDS, nodes, print_spec
from cifar_dsl.syntax.layout import NEW_LINE
from cifar_dsl.syntax.tables import parser

SHIPPED = sorted(specs_directory().rglob("*.arch"))


def kind_of(token) -> str:
    """What the language's lexer calls a token of Pygments."""
    for group, kind in (
        (Keyword, "word"),
        (Operator.Word, "word"),
        (Name, "NAME"),
        (Number.Size, "SIZE"),
        (Number, "NUMBER"),
        (String, "STRING"),
        (Comment, "COMMENT"),
        (Operator, "sign"),
        (Punctuation, "sign"),
    ):
        if token in group:
            return kind
    raise AssertionError(token)


def coloured(text: str) -> list[tuple[int, str, str]]:
    """Place, kind and text of every token but white space."""
    tokens = ArchLexer().get_tokens_unprocessed(text)
    return [(start, kind_of(token), value) for start, token, value in tokens if token not in Whitespace]


def read(text: str) -> list[tuple[int, str, str]]:
    """The same as the language reads it."""
    found = parser().lex(text, dont_ignore=True)
    kept = [token for token in found if token.type not in {"SPACE", NEW_LINE}]
    return [(token.start_pos or 0, kind_in_language(token.type, str(token)), str(token)) for token in kept]


def kind_in_language(kind: str, text: str) -> str:
    if kind in {"NAME", "SIZE", "NUMBER", "STRING", "COMMENT"}:
        return kind
    return "word" if text in KEYWORDS else "sign"


def check(text: str) -> None:
    tokens = list(ArchLexer().get_tokens_unprocessed(text))
    assert "".join(value for _, _, value in tokens) == text
    assert not [value for _, token, value in tokens if token in Error]
    assert coloured(text) == read(text)


def test_the_words_are_those_of_the_language():
    assert set(CONSTANTS + OPERATORS + STATEMENTS) == KEYWORDS
    assert set(SETTINGS) == SETTING_WORDS


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_specs_are_read_alike(path):
    check(path.read_text(encoding="utf-8"))


@settings(deadline=None, max_examples=60)
@given(specs())
def test_valid_specs_are_read_alike(text: str) -> None:
    check(text)


@settings(deadline=None, max_examples=200)
@given(trees.specs())
def test_anything_that_the_grammar_can_say_is_read_alike(spec: nodes.Spec) -> None:
    check(print_spec(spec))


@pytest.mark.parametrize(
    "text",
    [
        "0..5", "1.5e-3", "5M", "3x3", "3x32x32x1", "1_000k", "a->b", "a==b", "x//2", "x<=y", "format",
        "as_is", "in_channels", "trainer {}", "train{batch 8}", "train { group a { optimizer sgd(0.1) } }\nbatch 8",
        "#", "# caf\u00e9 \u2192", '"a # b"', "arch\ta",
        "arch\r\nb", "", "\n\n", "-3", "--3", "x[:16]", "(a,b)", "let data = 3", "param loss=3",
    ],
)  # fmt: skip
def test_corners_are_read_alike(text):
    check(text)


@pytest.mark.parametrize("text", ["$", "'", '"open', "\u2192", "}", "}}}{", "train { ; }"])
def test_wrong_text_is_kept_too(text):
    assert "".join(value for _, _, value in ArchLexer().get_tokens_unprocessed(text)) == text


def test_settings_stand_out_in_train_alone():
    text = "param batch = 1\ntrain { batch batch\ngroup g { epochs 1 }\nloss x }\nlet y = epochs"
    found = [value for _, token, value in ArchLexer().get_tokens_unprocessed(text) if token is Name.Attribute]
    assert found == ["batch", "batch", "epochs", "loss"]


def test_pygments_finds_it():
    (entry,) = [entry for entry in entry_points(group="pygments.lexers") if entry.name == "arch"]
    assert entry.load() is ArchLexer
    assert isinstance(get_lexer_by_name("arch"), ArchLexer)
    assert isinstance(get_lexer_for_filename("residual.arch"), ArchLexer)


def test_finding_it_imports_nothing_else():
    found = "sorted(name for name in sys.modules if name.startswith(('cifar_dsl', 'lark')))"
    code = f"import sys, cifar_dsl.highlighting; print(*{found})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert result.stdout.split() == ["cifar_dsl", "cifar_dsl.highlighting"]
