"""The documentation of every word of the language."""

import pytest

from cifar_dsl.compiler.builtin_names import FUNCTIONS
from cifar_dsl.editors.language_server import vocabulary
from cifar_dsl.operations.argument_types import Bool, Choice, Int, ListOf, OneOf
from cifar_dsl.operations.layers import INITIALIZERS, JOINS, LAYERS
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS
from cifar_dsl.operations.registry import CallOf

DECLARED = [
    (registry, name)
    for registry in (LAYERS, JOINS, INITIALIZERS, *(one.registry for one in SETTINGS.values() if one.registry))
    for name in registry
]


def test_the_owner_of_an_argument_is_found_by_name() -> None:
    assert not {*SETTINGS, *GROUP_SETTINGS} & {*LAYERS, *JOINS, *INITIALIZERS, *FUNCTIONS}
    assert {*LAYERS, *JOINS} & {*INITIALIZERS, *FUNCTIONS} == {"max", "sum"}  # the arrow decides; none has keywords


@pytest.mark.parametrize(("registry", "name"), DECLARED, ids=lambda one: one if isinstance(one, str) else one.noun)
def test_every_declaration_is_documented(registry: object, name: str) -> None:
    entry = vocabulary.declared(registry, name)
    assert entry.signature().startswith(name)
    assert entry.doc
    assert all(argument.doc and argument.accepts for argument in entry.arguments)
    shown = "\n".join(entry.markdown())
    assert all(f"`{argument.name}`" in shown for argument in entry.arguments)


def test_heads() -> None:
    conv, relu = vocabulary.layer("conv"), vocabulary.layer("relu")
    assert conv is not None
    assert conv.signature().startswith("conv(channels, kernel, stride=1, pad=0")
    assert conv.requires_arguments()
    assert relu is not None
    assert relu.signature() == "relu"
    assert not relu.requires_arguments()
    assert vocabulary.layer("gone") is None
    assert vocabulary.choice("optimizer", "conv") is None
    assert vocabulary.choice("gone", "sgd") is None
    assert vocabulary.choice("batch", "sgd") is None


@pytest.mark.parametrize("setting", [*SETTINGS.values(), *GROUP_SETTINGS.values()], ids=lambda one: one.name)
def test_settings(setting: vocabulary.Setting) -> None:
    sentences = list(vocabulary.setting_markdown(setting))
    assert len(sentences) == 3
    assert all(sentence.endswith(".") for sentence in sentences)
    assert ("Required." in sentences[2]) == (setting.default is None)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Int(1), []),
        (Bool(), ["true", "false"]),
        (OneOf((Choice(("same",)), Int(0))), ["same"]),
        (ListOf(Choice(("a", "b"))), ["a", "b"]),
        (CallOf(INITIALIZERS, ("zeros", "ones")), ["zeros", "ones"]),
        (None, []),
    ],
)
def test_words_of_kinds(kind: object, words: list[str]) -> None:
    assert [entry.name for entry in vocabulary.words_of(kind)] == words


def test_words_of_types() -> None:
    assert [entry.name for entry in vocabulary.words_of_types(["none", "|", "before"])] == ["none", "before"]
    assert [entry.name for entry in vocabulary.words_of_types(["int", "bool"])] == ["true", "false"]
    assert "dirac" in [entry.name for entry in vocabulary.words_of_types(["init"])]
