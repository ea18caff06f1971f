"""Everything that a model can call has an example. tests/docs/test_examples.py checks those of docs/reference.md."""

import re

import pytest

from cifar_dsl.views.examples import EXAMPLES, RECIPES
from cifar_dsl.views.reference import entries


@pytest.mark.parametrize("title", EXAMPLES)
def test_each_entry_has_an_example_that_uses_it(title: str) -> None:
    assert EXAMPLES[title].keys() == entries()[title].keys()
    assert [name for name, body in EXAMPLES[title].items() if not re.search(rf"\b{name}\b", body)] == []


def test_each_setting_and_choice_has_an_example_that_uses_it() -> None:
    written_by_commands = {"npz", "uses", "weights", "teacher", "selection"}
    for title, names in entries().items():
        if title not in EXAMPLES:
            missing = names.keys() - RECIPES.get(title, {}).keys()
            assert missing <= written_by_commands | {"resize"}  # which needs another network than that of `baseline`
    for examples in RECIPES.values():
        assert [name for name, text in examples.items() if not re.search(rf"\b{name}\b", text)] == []


def test_an_entry_ends_with_its_example() -> None:
    assert entries()["Layers"]["bn"].endswith("\n\n```arch body\nconv(32, 3, pad=1, bias=false) -> bn -> relu\n```\n")
