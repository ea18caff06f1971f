"""Outlines and folding ranges."""

from pathlib import Path

import pytest
from helpers.editor import Editor, editor
from helpers.specs import text_of
from lsprotocol.types import DocumentSymbol, FoldingRangeKind, SymbolKind

from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.symbols import document_symbols, folding_ranges, workspace_symbols
from cifar_dsl.foundation.resources import specs_directory

SHIPPED = sorted(specs_directory().resolve().rglob("*.arch"))
TEXT = """\
arch test
input 3x8x8
param width = 8
block unit(c: int, k: int = 1) {
    let y = conv(c, k) as first
    y -> relu
}
model {
    repeat 2 { unit(8) as twice }
    add { conv(8, 1) as left | identity } as join
    if width > 3 { let z = bn } else { let w = relu }
    flatten -> dense(10) as head
}
train {
    data       cifar10
    optimizer.lr 1e-3
    group norms {
        select  [norm, bias]
        epochs  1
    }
}
assert params < 1M
"""


def outline(symbols: list[DocumentSymbol]) -> list[object]:
    """Names and details, each followed by its children."""
    found: list[object] = []
    for symbol in symbols:
        found.append(f"{symbol.name} {symbol.detail}" if symbol.detail else symbol.name)
        if symbol.children:
            found.append(outline(list(symbol.children)))
    return found


def shown(here: Editor) -> list[DocumentSymbol]:
    return document_symbols(here.documents, here.path)


def test_the_outline_of_a_spec() -> None:
    assert outline(shown(editor(TEXT))) == [
        "input 3x8x8",
        "width 8",
        "unit",
        ["c", "k", "y", ["first"]],
        "model",
        ["twice", "join", ["left"], "z", "w", "head"],
        "train",
        ["data cifar10", "optimizer.lr 1e-3", "norms group", ["select [norm, bias]", "epochs 1"]],
        "assert params < 1M",
    ]


def test_kinds() -> None:
    kinds = {symbol.name: symbol.kind for symbol in shown(editor(TEXT))}
    assert kinds["width"] == SymbolKind.Constant
    assert kinds["unit"] == SymbolKind.Function
    assert kinds["model"] == SymbolKind.Class


def test_a_text_with_errors_shows_the_parts_that_parse() -> None:
    whole = outline(shown(editor(TEXT)))
    assert outline(shown(editor(TEXT + "model {"))) == [*whole, "model"]
    assert outline(shown(editor(TEXT.replace("conv(c, k) as", "conv(c, ) as")))) == whole
    assert outline(shown(editor("arch a\nblock (c: int) { relu }"))) == ["?", ["c"]]
    assert shown(editor("")) == []


@pytest.mark.parametrize("cut", [1.0, 0.3, 0.55, 0.8])
def test_ranges_nest(cut: float) -> None:
    for path in SHIPPED:
        check_nesting(path, cut)


def check_nesting(path: Path, cut: float) -> None:
    text = path.read_text(encoding="utf-8")
    documents = Documents()
    documents.put(path.as_uri(), text[: int(cut * len(text))])
    waiting = [(symbol, symbol.range) for symbol in document_symbols(documents, path)]
    assert waiting or cut < 1, path
    while waiting:
        symbol, around = waiting.pop()
        assert around.start <= symbol.range.start <= symbol.selection_range.start, (path, symbol)
        assert symbol.selection_range.end <= symbol.range.end <= around.end, (path, symbol)
        assert symbol.name, (path, symbol)
        waiting += [(child, symbol.range) for child in symbol.children or ()]


def folds(text: str) -> list[tuple[int, int]]:
    here = editor(text)
    return sorted((one.start_line, one.end_line) for one in folding_ranges(here.documents, here.path))


def test_brackets_are_folded() -> None:
    assert folds(TEXT) == [(3, 5), (7, 11), (13, 19), (16, 18)]
    assert folds("model {\n  conv(\n  3,\n  1\n)\n") == [(1, 3)]  # the brace is not closed yet
    assert folds("model { add {\n relu\n bn\n}\n}") == [(0, 2), (0, 3)]
    assert folds("model {\n}\n)") == []


def test_comments_are_folded() -> None:
    here = editor("# one\n# two\n\n# three\narch a\n  # four\n# five\n#six")
    found = folding_ranges(here.documents, here.path)
    assert [(one.start_line, one.end_line, one.kind) for one in found] == [
        (0, 1, FoldingRangeKind.Comment),
        (5, 7, FoldingRangeKind.Comment),
    ]


def test_brackets_in_comments_do_not_count() -> None:
    assert folds(text_of("relu  # {\nbn # ( ")) == [(3, 5)]


def test_a_missing_file() -> None:
    here = editor("arch a\n")
    assert document_symbols(here.documents, here.path_of("gone")) == []
    assert folding_ranges(here.documents, here.path_of("gone")) == []


# ---- the workspace


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["test", "width", "unit", "other", "wide_unit"]),
        ("UNIT", ["unit", "wide_unit"]),
        ("wu", ["wide_unit"]),
        ("zz", []),
    ],
)
def test_the_names_of_a_workspace_that_have_the_letters_of_a_query(query, names):
    text = 'arch other extends "test.arch"\nblock wide_unit(c) { relu }\n'
    here = editor(TEXT, other=text)
    found = workspace_symbols(here.documents, query)
    assert sorted(one.name for one in found) == sorted(names)
    for one in found:
        line = here.text(one.container_name.removesuffix(".arch")).split("\n")[one.location.range.start.line]
        assert one.name in line


def test_a_workspace_may_hold_files_that_do_not_parse():
    here = editor("arch test\nmodel { (((", other="arch other\nparam kept = 1\n")
    assert "kept" in [one.name for one in workspace_symbols(here.documents, "kept")]
