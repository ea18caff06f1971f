"""Other layouts of a text: the same words with different whitespace, line breaks and comments."""

import random
import re

from helpers.specs import parse

from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.formatter import format_text
from cifar_dsl.language.syntax.lexer import lex
from cifar_dsl.language.syntax.newlines import NEW_LINE

_COMMENT = re.compile(r'"[^"\n]*"|(#[^\n]*)')
_WORD = re.compile(r"[A-Za-z0-9_.]")
_BEFORE_BREAKS = {"{", "->", "|", "="}  # words after which a newline ends nothing
_BEHIND_BREAKS = {"{", "}", "->", "|", "else"}  # and words before which it doesn't
_COMMENTS = ["#", "# plain", "#tight", "#   wide  inside", "# { ( [ | ->", '# "half a text', "# -- ## --", "# é 卷積 ✓"]
_SPACES = ["", " ", "  ", "\t", " \t "]


def comments_of(text: str) -> list[str]:
    """The comments of a text in order, without trailing whitespace."""
    return [match[1].rstrip() for match in _COMMENT.finditer(text) if match[1]]


def scattered(text: str, draws: random.Random) -> str:
    """A text with the same words in a random layout, with random comments."""
    pieces: list[str] = []
    open_brackets: list[str] = []
    before = ""  # the word before
    ends = False  # whether a significant newline is here
    for token in [*lex(text), None]:
        if token is not None and token.type == NEW_LINE:
            ends = True
            continue
        word = "" if token is None else str(token)
        inside = bool(open_brackets) and open_brackets[-1] != "{"
        may_break = inside or not before or not word or before in _BEFORE_BREAKS or word in _BEHIND_BREAKS
        gap = _gap(draws, must_break=ends, may_break=may_break)
        if not gap and before and _WORD.match(before[-1]) and word and _WORD.match(word[0]):
            gap = " "
        pieces += [gap, word]
        if word in {"(", "[", "{"}:
            open_brackets.append(word)
        elif word in {")", "]", "}"}:
            open_brackets.pop()
        before, ends = word, False
    return "".join(pieces)


def _gap(draws: random.Random, *, must_break: bool, may_break: bool) -> str:
    gap = draws.choice(_SPACES)
    breaks = draws.choice([1, 1, 1, 2, 3, 4]) if must_break else 0
    if may_break and draws.random() < 0.25:
        breaks += draws.choice([1, 1, 2])
    for _ in range(breaks):
        if draws.random() < 0.3:
            gap += draws.choice(_COMMENTS) + draws.choice(_SPACES)
        gap += "\n" + draws.choice(_SPACES)
    return gap


def formatted(text: str) -> str:
    return format_text(Source("test.arch", text))


def check_laws(text: str, draws: random.Random) -> str:
    """Check that only space changes, no comment is lost, and a second pass changes nothing; returns the result."""
    ugly = scattered(text, draws)
    canonical = formatted(ugly)
    assert parse(canonical) == parse(ugly) == parse(text)
    assert comments_of(canonical) == comments_of(ugly)
    assert formatted(canonical) == canonical
    lines = canonical.split("\n")
    assert all(line == line.rstrip() and not line.startswith("\t") for line in lines)
    assert "\n\n\n" not in canonical
    return canonical
