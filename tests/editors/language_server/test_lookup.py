"""What stands at a place, by the tree and without it."""

from pathlib import Path

import pytest
from helpers.editor import editor

from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.lookup import mention_in
from cifar_dsl.editors.language_server.references import Meaning
from cifar_dsl.foundation.resources import specs_directory

SHIPPED = sorted(specs_directory().resolve().rglob("*.arch"))
HEAD = "arch a\ninput 3x8x8\nparam width = 8\nblock unit(c: int, act: block = relu) { conv(c, 1) -> act }\n"
BROKEN = "\nmodel { ((\n"  # behind what is asked about


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_mentions_are_told_alike_with_and_without_a_tree(path: Path) -> None:
    documents = Documents([specs_directory()])
    mentions = documents.mentions(path)
    text = path.read_text(encoding="utf-8")
    documents.put(path.as_uri(), text + BROKEN)
    assert documents.tree(path) is None
    for mention in mentions:
        guessed = mention_in(documents, path, mention.span.start)
        if mention.span.text.startswith('"'):
            continue  # a base in quotes is no name
        assert guessed is not None
        assert (guessed.meaning, guessed.span.start, guessed.span.end, guessed.is_definition) == (
            mention.meaning,
            mention.span.start,
            mention.span.end,
            mention.is_definition,
        )


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_mentions_say_what_stands_there(path: Path) -> None:
    for mention in Documents([specs_directory()]).mentions(path):
        assert mention.span.text.strip('"') == mention.meaning.name
        assert mention.span in mention.call or mention.meaning.kind == "join"


@pytest.mark.parametrize("broken", ["", BROKEN])
@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("model { con§v(8, 1) }", Meaning("layer", "conv")),
        ("model { conv§(8, 1) }", Meaning("layer", "conv")),
        ("model { conv(8, 1, p§ad=same) }", Meaning("argument", "pad", "conv")),
        ("model { conv(8, 1, pad=s§ame) }", Meaning("global", "same")),
        ("model { conv(8, 1, init=nor§mal(std=1)) }", Meaning("initialiser", "normal")),
        ("model { conv(8, 1, init=normal(s§td=1)) }", Meaning("argument", "std", "normal")),
        ("model { un§it(8) }", Meaning("global", "unit")),
        ("model { unit(8, a§ct=bn) }", Meaning("parameter", "act", "unit")),
        ("model { unit(wid§th) }", Meaning("global", "width")),
        ("model { unit(m§ax(1, 2)) }", Meaning("function", "max")),
        ("model { a§dd { relu | bn } }", Meaning("join", "add")),
        ("block b(x: int, y: int = §x) { relu }", Meaning("parameter", "x", "b")),
        ("block b(f: block) { §f(c=1) }", Meaning("parameter", "f", "b")),
        ("block b(f: block) { f(§c=1) }", Meaning("argument", "c")),
        ("train { opt§imizer sgd(lr=1) }", Meaning("setting", "optimizer", "train")),
        ("train { optimizer sg§d(lr=1) }", Meaning("choice", "sgd", "optimizer")),
        ("train { optimizer sgd(l§r=1) }", Meaning("argument", "lr", "optimizer.sgd")),
        ("train { optimizer.l§r 1 }", Meaning("argument", "lr", "optimizer")),
        ("train { batch wid§th }", Meaning("global", "width")),
        ("train { group g { ep§ochs 1 } }", Meaning("setting", "epochs", "group")),
        ("train { precision bf§16 }", Meaning("global", "bf16")),
    ],
)
def test_places(text: str, meaning: Meaning, broken: str) -> None:
    mention = mention_in(*editor(HEAD + text + broken))
    assert mention is not None
    assert mention.meaning == meaning


@pytest.mark.parametrize("broken", ["", BROKEN])
@pytest.mark.parametrize(
    "text", ["# conv§", "model { conv(6§4, 1) }", "model {§ relu }", "mod§el { relu }", "in§put 3x3x3"]
)
def test_places_of_no_names(text: str, broken: str) -> None:
    assert mention_in(*editor(text if text.startswith("in") else HEAD + text + broken)) is None


def test_a_part_of_a_chain_of_a_setting() -> None:
    mention = mention_in(*editor(HEAD + "train { augment.cr§op.padding 2 }"))
    assert mention is not None
    assert mention.meaning == Meaning("choice", "crop", "augment")
    mention = mention_in(*editor(HEAD + "train { augment.crop.pad§ding 2 }"))
    assert mention is not None
    assert mention.meaning == Meaning("argument", "padding", "augment.crop")


def test_locals_are_told_apart_by_their_definitions() -> None:
    text = HEAD + "model { add { let y = relu\ny | let y = bn\n§y } }"
    mention = mention_in(*editor(text))
    assert mention is not None
    assert mention.meaning == Meaning("local", "y", str(text.index("y = bn")))
