"""The table of names, for texts that parse and texts that do not."""

from pathlib import Path

import pytest
from helpers.editor import editor

from cifar_dsl.compiler.names import Mention
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.foundation.resources import specs_directory

SHIPPED = sorted(specs_directory().resolve().rglob("*.arch"))
HEAD = "arch a\ninput 3x8x8\nparam width = 8\nblock unit(c: int, act: block = relu) { conv(c, 1) -> act }\n"
BROKEN = "\nmodel { ((\n"  # after the offset in question


def mention_in(documents: Documents, path: Path, offset: int) -> Mention | None:
    return documents.names(path).at(offset)


def meaning(mention: Mention | None) -> tuple[str, str, str]:
    assert mention is not None
    return (mention.definition.kind, mention.definition.name, mention.definition.owner)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_mentions_are_the_same_with_and_without_errors(path: Path) -> None:
    documents = Documents([specs_directory()])
    mentions = documents.names(path).mentions
    assert mentions
    documents.put(path.as_uri(), path.read_text(encoding="utf-8") + BROKEN)
    assert not documents.parses(path)
    for mention in mentions:
        found = mention_in(documents, path, mention.span.start)
        assert found is not None
        assert meaning(found) == meaning(mention)
        assert (found.span.start, found.span.end) == (mention.span.start, mention.span.end)
        assert found.is_definition == mention.is_definition


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_mentions_name_the_text_of_their_spans(path: Path) -> None:
    for mention in Documents([specs_directory()]).names(path).mentions:
        assert mention.span.text.strip('"') == mention.definition.name
        assert mention.span in mention.call or mention.definition.kind == "join"


@pytest.mark.parametrize("broken", ["", BROKEN])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model { con§v(8, 1) }", ("layer", "conv", "")),
        ("model { conv§(8, 1) }", ("layer", "conv", "")),
        ("model { conv(8, 1, p§ad=same) }", ("argument", "pad", "conv")),
        ("model { conv(8, 1, pad=s§ame) }", ("word", "same", "")),
        ("model { conv(8, 1, init=nor§mal(std=1)) }", ("initialiser", "normal", "")),
        ("model { conv(8, 1, init=normal(s§td=1)) }", ("argument", "std", "normal")),
        ("model { un§it(8) }", ("block", "unit", "")),
        ("model { unit(8, a§ct=bn) }", ("parameter", "act", "unit")),
        ("model { unit(wid§th) }", ("param", "width", "")),
        ("model { unit(m§ax(1, 2)) }", ("function", "max", "")),
        ("model { a§dd { relu | bn } }", ("join", "add", "")),
        ("block b(x: int, y: int = §x) { relu }", ("parameter", "x", "b")),
        ("block b(f: block) { §f(c=1) }", ("parameter", "f", "b")),
        ("block b(f: block) { f(§c=1) }", ("argument", "c", "")),
        ("train { opt§imizer sgd(lr=1) }", ("setting", "optimizer", "train")),
        ("train { optimizer sg§d(lr=1) }", ("choice", "sgd", "optimizer")),
        ("train { optimizer sgd(l§r=1) }", ("argument", "lr", "optimizer.sgd")),
        ("train { optimizer.l§r 1 }", ("argument", "lr", "optimizer")),
        ("train { batch wid§th }", ("param", "width", "")),
        ("train { group g { ep§ochs 1 } }", ("setting", "epochs", "group")),
        ("train { precision bf§16 }", ("word", "bf16", "")),
    ],
)
def test_meanings(text: str, expected: tuple[str, str, str], broken: str) -> None:
    assert meaning(mention_in(*editor(HEAD + text + broken))) == expected


@pytest.mark.parametrize("broken", ["", BROKEN])
@pytest.mark.parametrize(
    "text", ["# conv§", "model { conv(6§4, 1) }", "model {§ relu }", "mod§el { relu }", "in§put 3x3x3"]
)
def test_offsets_without_a_name(text: str, broken: str) -> None:
    assert mention_in(*editor(text if text.startswith("in") else HEAD + text + broken)) is None


def test_a_part_of_a_chain_of_a_setting() -> None:
    assert meaning(mention_in(*editor(HEAD + "train { augment.cr§op.padding 2 }"))) == ("choice", "crop", "augment")
    assert meaning(mention_in(*editor(HEAD + "train { augment.crop.pad§ding 2 }"))) == (
        "argument",
        "padding",
        "augment.crop",
    )


def test_local_names_differ_by_their_definitions() -> None:
    text = HEAD + "model { add { let y = relu\ny | let y = bn\n§y } }"
    mention = mention_in(*editor(text))
    assert mention is not None
    assert mention.definition.span is not None
    assert mention.definition.span.start == text.index("y = bn")


@pytest.mark.parametrize(
    "line",
    [
        "conv(8, ",
        "conv(8, 1",
        "let z",
        "add { relu",
        "unit(c=",
        "for k in",
        "if width >",
        "conv(8, 1))",
        "8 8",
    ],
)
def test_a_line_with_an_error_leaves_the_other_lines(line: str) -> None:
    text = f"{HEAD}model {{\n    let y = unit(width)\n    {line}\n    §y -> relu\n}}\n"
    here = editor(text)
    mention = mention_in(*here)
    assert meaning(mention) == ("let", "y", "")
    assert not here.documents.parses(here.path)
