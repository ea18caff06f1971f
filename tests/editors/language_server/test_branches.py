"""Branches, lists and several names in the editor."""

import pytest
from helpers.editor import completed, editor, hovered, put_in
from helpers.specs import text_of

from cifar_dsl.editors.language_server.renaming import rename
from cifar_dsl.editors.language_server.signatures import signature_help
from cifar_dsl.editors.language_server.symbols import folding_ranges

ITEMS = """\
# Two stages.
block two(first: block, second: block = relu) { first -> second }
block both(c: int) {
    let x = conv(c, 1)
    let y = x -> relu
    [x, y]
}"""


def test_completion_offers_stages_in_every_kind_of_branch() -> None:
    for stages in ("two { §", "two { relu | §", "two for k in [1] { §", "concat for k in [1] { relu -> §", "add { §"):
        offered = completed(text_of(stages, ITEMS))
        assert {"conv", "two", "add", "identity"} <= set(offered), stages


def test_completion_knows_all_names_of_a_let() -> None:
    offered = completed(text_of("let (one, other) = both(3)\n§", ITEMS))
    assert {"one", "other"} <= set(offered)
    assert "x" not in offered


@pytest.mark.parametrize(
    ("stages", "shown"),
    [
        ("t§wo { relu | bn }", "block two(first: block, second: block = relu)"),
        ("ad§d { relu | bn }", "add { ... | ... }"),
        ("conc§at(rows) { relu | bn }", "concat(over=first) { ... | ... }"),
        ("add { bo§th(3) }", "3x8x8, 3x8x8"),
        ("let (o§ne, other) = both(3)", "let (one, other) = both(3)"),
        ("let (one, oth§er) = both(3)", "3x8x8, 3x8x8"),
    ],
)
def test_hover(stages: str, shown: str) -> None:
    assert shown in hovered(text_of(f"{stages}\nrelu", ITEMS))


def test_a_name_of_several_is_renamed_everywhere() -> None:
    text = text_of("let (o§ne, other) = both(3)\n(one, other) = both(4)\nadd { one | other | relu }", ITEMS)
    here = editor(text)
    (edits,) = (rename(*here, "third").changes or {}).values()
    new = put_in(text.replace("§", ""), list(edits))
    assert "let (third, other) = both(3)\n(third, other) = both(4)\nadd { third | other | relu }" in new


def test_a_block_with_branches_is_renamed() -> None:
    text = text_of("t§wo { two { relu } | bn }", ITEMS)
    (edits,) = (rename(*editor(text), "pair").changes or {}).values()
    assert "pair { pair { relu } | bn }" in put_in(text.replace("§", ""), list(edits))


def test_the_signature_of_a_head() -> None:
    found = signature_help(*editor(text_of("concat(§) { relu | bn }", ITEMS)))
    assert found is not None
    assert found.signatures[0].label.startswith("concat(over")


def test_branches_are_folded() -> None:
    text = text_of("two {\n    conv(4, 1)\n  | bn\n}\nadd for k in [1, 3] {\n    conv(4, k, pad=same)\n}§", ITEMS)
    here = editor(text)
    lines = text.splitlines()
    folded = {lines[one.start_line] for one in folding_ranges(here.documents, here.path)}
    assert {"two {", "add for k in [1, 3] {"} <= folded
