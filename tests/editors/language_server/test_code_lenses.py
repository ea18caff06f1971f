"""Code lenses: what an editor offers above a spec."""

from pathlib import Path

from helpers.editor import editor, uri_of
from helpers.specs import text_of

from cifar_dsl.editors.language_server.code_lenses import code_lenses
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.foundation.resources import shipped_specs

NETWORK = text_of("flatten\ndense(10)")
RECIPE = "train {\n data shapes\n epochs 1\n batch 20\n optimizer sgd(lr=0.1)\n}\n"


def offered(documents: Documents, path: Path) -> dict[str, list[str]]:
    """The arguments of `cifar-dsl` by the title of the lens; all are for this file, and in its root."""
    found = {}
    for lens in code_lenses(documents, path):
        (argument,) = lens.command.arguments
        assert lens.range.start.line == 0
        assert lens.command.command == f"cifar-dsl.{argument['arguments'][0]}"
        assert argument["uri"] == documents.uri(path)
        assert argument["folder"] == str(documents.root(path))
        found[lens.command.title] = argument["arguments"]
    return found


def test_a_spec_with_a_recipe_can_be_trained_and_compared_with_its_base() -> None:
    here = editor('arch test extends "base.arch"\n', base=NETWORK + RECIPE)
    assert offered(here.documents, here.path) == {
        "Train": ["train", "test.arch"],
        "Show": ["show", "test.arch"],
        "Compare with base": ["compare", "base.arch", "test.arch"],
    }
    here = editor("arch test extends baseline\n")
    assert offered(here.documents, here.path)["Compare with baseline"] == ["compare", "baseline", "test.arch"]


def test_what_a_spec_has_no_use_for_is_left_out() -> None:
    here = editor(NETWORK)
    assert [*offered(here.documents, here.path)] == ["Show"]
    here = editor("library parts\nblock unit() { relu }\n")
    assert offered(here.documents, here.path) == {}
    here = editor('arch test extends "missing.arch"\n')
    assert [*offered(here.documents, here.path)] == ["Show"]
    assert offered(here.documents, here.path_of("none")) == {}


def test_specs_in_no_file_and_shipped_ones_are_only_shown() -> None:
    documents = Documents()
    for uri in ("untitled:Untitled-1", shipped_specs()["residual"].as_uri()):
        path = documents.put(uri, "arch residual extends baseline\n")
        assert [*offered(documents, path)] == ["Show"]


def test_a_base_in_another_folder_and_a_name_like_an_option() -> None:
    here = editor("", base=NETWORK + RECIPE)
    path = here.documents.put(uri_of("inner/-x"), 'arch x extends "../base.arch"\n')
    found = offered(here.documents, path)
    assert found["Train"] == ["train", "inner/-x.arch", "--root", "."]
    assert found["Compare with base"] == ["compare", "base.arch", "inner/-x.arch", "--root", "."]
    path = here.documents.put(uri_of("-x"), NETWORK + RECIPE)
    assert offered(here.documents, path)["Train"] == ["train", "./-x.arch"]
