"""Semantic tokens and links."""

import pytest
from helpers.editor import editor, uri_of
from helpers.specs import text_of

from cifar_dsl.editors.language_server.navigation import document_links
from cifar_dsl.editors.language_server.semantic_tokens import LEGEND, semantic_tokens
from cifar_dsl.foundation.resources import shipped_specs


def coloured(text: str, encoding: str = "utf-16") -> list[tuple[str, str, list[str]]]:
    """The words that have a colour, with their types and modifiers."""
    here = editor(text)
    object.__setattr__(here.documents.positions, "encoding", encoding)
    lines = [line.encode(f"{encoding}-le" if encoding != "utf-8" else encoding) for line in text.split("\n")]
    unit = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    found, line, column = [], 0, 0
    data = semantic_tokens(here.documents, here.path).data
    for i in range(0, len(data), 5):
        down, right, length, kind, modifiers = data[i : i + 5]
        line, column = line + down, right + (0 if down else column)
        word = lines[line][unit * column : unit * (column + length)].decode(
            f"{encoding}-le" if encoding != "utf-8" else encoding
        )
        names = [name for bit, name in enumerate(LEGEND.token_modifiers) if modifiers >> bit & 1]
        found.append((word, LEGEND.token_types[kind], names))
    return found


TEXT = """\
arch a  # a comment: "\U0001d53c" é
param c = 8
block unit(k: int) { conv(c, k, pad=same) -> basic_block(c) }
model { unit(3)
 let x = relu
 add { x | identity } -> dense(classes) }
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_each_word_has_its_meaning(encoding: str) -> None:
    found = coloured(TEXT, encoding)
    assert found[:4] == [
        ("arch", "keyword", []),
        ('# a comment: "\U0001d53c" é', "comment", []),
        ("param", "keyword", []),
        ("c", "parameter", ["definition"]),
    ]
    meanings = {word: (kind, names) for word, kind, names in found}
    assert meanings["unit"] == ("function", [])
    assert meanings["conv"] == ("class", ["defaultLibrary"])
    assert meanings["basic_block"] == ("function", ["defaultLibrary"])
    assert meanings["pad"] == ("property", ["defaultLibrary"])
    assert meanings["same"] == ("enumMember", meanings["same"][1])
    assert meanings["x"] == ("variable", [])
    assert meanings["add"] == ("class", ["defaultLibrary"])
    assert meanings["3"] == ("number", [])
    assert meanings["->"] == ("operator", [])
    assert "(" not in meanings


def test_a_broken_text_keeps_its_colours() -> None:
    words = [word for word, *_ in coloured("arch a\nmodel { conv(8, -> relu\n dens(3)")]
    assert {"arch", "model", "8", "->", "3"} <= set(words)
    assert "dens" not in words
    here = editor("arch a\n")
    assert semantic_tokens(here.documents, here.path_of("gone")).data == []


@pytest.mark.parametrize("name", ["nasnet_a", "swin_t", "airbench94"])
def test_shipped_specs_have_no_word_without_a_colour(name: str) -> None:
    text = shipped_specs()[name].read_text(encoding="utf-8")
    assert sum(kind == "comment" for _, kind, _ in coloured(text)) == text.count("#")


def test_the_base_is_a_link() -> None:
    here = editor(
        'arch child extends "base.arch"\n', base=text_of("flatten -> dense(10)").replace("arch a", "arch base")
    )
    (link,) = document_links(here.documents, here.path)
    assert (link.range.start.character, link.range.end.character) == (19, 30)
    assert link.target == uri_of("base")
    for text in ("arch a\n", 'arch a extends "gone.arch"\n', "arch"):
        here = editor(text)
        assert document_links(here.documents, here.path) == []
