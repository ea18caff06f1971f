"""The table of foreign names, and the page that is generated from it."""

from pathlib import Path

import pytest

from cifar_dsl.compiler import analyze_text
from cifar_dsl.compiler.builtin_names import BUDGETS, FUNCTIONS
from cifar_dsl.compiler.library import library_index
from cifar_dsl.ir import arguments_of
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.operations import foreign_names
from cifar_dsl.operations.foreign_names import CHOICES, TABLES, Equivalent, ForeignNames, folded
from cifar_dsl.operations.layers import INITIALIZERS, JOINS, LAYERS
from cifar_dsl.operations.recipe import SETTINGS
from cifar_dsl.views.foreign_names import markdown

ARGUMENTS = {info.name for name in LAYERS for info in arguments_of(LAYERS[name])} | {
    info.name
    for setting in SETTINGS.values()
    for name in setting.registry or ()
    for info in arguments_of((setting.registry or {})[name])  # type: ignore[index]
}
KNOWN = [
    (foreign_names.LAYERS, {*LAYERS, *JOINS, *library_index()}),
    (foreign_names.ARGUMENTS, ARGUMENTS),
    (foreign_names.SETTINGS, {*SETTINGS}),
    (foreign_names.INITIALIZERS, {*INITIALIZERS}),
    (foreign_names.FUNCTIONS, {*FUNCTIONS}),
    (foreign_names.BUDGETS, {*BUDGETS}),
    (foreign_names.VALUES, {"true", "false", "none", "same"}),
    *(
        (CHOICES[name], {*(setting.registry or setting.kind.symbols())} | {"none"})  # type: ignore[union-attr]
        for name, setting in SETTINGS.items()
        if name in CHOICES
    ),
]


def test_the_page_is_not_stale() -> None:
    path = Path(__file__).parents[2] / "docs" / "coming-from.md"
    assert path.read_text(encoding="utf-8") == markdown(), "run `python -m cifar_dsl.views.foreign_names`"


@pytest.mark.parametrize(("table", "known"), KNOWN, ids=lambda value: getattr(value, "noun", ""))
def test_every_equivalent_is_a_name_of_the_language(table: ForeignNames, known: set[str]) -> None:
    texts = [equivalent.text for _, equivalent in table.entries() if equivalent.is_name]
    assert set(texts) <= known


def test_every_table_is_checked() -> None:
    assert {table.noun for table, _ in KNOWN} == {table.noun for table in TABLES}


# Which argument is meant depends on the call: `size` is a kernel or a factor.
UNAMBIGUOUS = [table for table in TABLES if table is not foreign_names.ARGUMENTS]


@pytest.mark.parametrize("table", UNAMBIGUOUS, ids=lambda table: table.noun)
def test_a_name_has_one_meaning(table: ForeignNames) -> None:
    meanings: dict[str, set[Equivalent]] = {}
    for name, equivalent in table.entries():
        meanings.setdefault(folded(name), set()).add(equivalent)
    assert [name for name, found in meanings.items() if len(found) > 1] == []


@pytest.mark.parametrize(("table", "known"), KNOWN, ids=lambda value: getattr(value, "noun", ""))
def test_no_name_of_the_language_is_foreign(table: ForeignNames, known: set[str]) -> None:
    shared = {name for name, _ in table.entries()} & known
    assert table is foreign_names.ARGUMENTS or shared - {"none"} == set()


@pytest.mark.parametrize(
    ("name", "meant"),
    [("se", "squeeze_excite"), ("pool", "maxpool"), ("Conv_2d", "conv"), ("SWISH", "silu")],
)
def test_names_are_found_in_any_spelling(name: str, meant: str) -> None:
    with pytest.raises(SpecError) as caught:
        analyze_text(f"arch test\ninput 3x32x32\nmodel {{ {name} }}\n")
    assert caught.value.diagnostics[0].help == (f"did you mean `{meant}`?",)
