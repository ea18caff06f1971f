"""The picture and the table beside a text."""

import sys
from xml.etree import ElementTree

import pytest
from helpers.editor import editor
from helpers.specs import text_of
from helpers.wire import Wire

from cifar_dsl.editors import parts
from cifar_dsl.editors.language_server.preview import preview
from cifar_dsl.foundation.errors import UserError

TEXT = text_of("unit(8)\nflatten\ndense(10)", "block unit(c: int) {\n conv(c, 1) -> relu\n}")


def test_a_spec_has_a_picture_and_a_table_with_lines() -> None:
    here = editor(TEXT)
    shown = preview(here.documents, here.path)
    assert not shown["isStale"]
    assert "3x8x8 to 10" in shown["summary"]
    titles = {one.text for one in ElementTree.fromstring(shown["svg"]).iter("{http://www.w3.org/2000/svg}title")}
    assert {"unit", "dense"} <= titles
    table = shown["table"]
    by_path = {row[-1]: line for row, line in zip(table["rows"], table["lines"], strict=True)}
    assert TEXT.splitlines()[by_path["unit.conv"] - 1] == " conv(c, 1) -> relu"
    assert TEXT.splitlines()[by_path["dense"] - 1] == "dense(10)"
    places = {one["path"]: (one["first"], one["last"]) for one in shown["stages"]}
    assert places["unit.conv"] == places["unit.relu"] == (by_path["unit.conv"],) * 2
    assert TEXT.splitlines()[places["unit"][0] - 1] == "unit(8)"


def test_with_errors_the_last_valid_version_stays() -> None:
    here = editor(TEXT)
    valid = preview(here.documents, here.path)
    here.documents.put(here.path.as_uri(), TEXT.replace("dense", "dens"))
    assert preview(here.documents, here.path) == valid | {"isStale": True}


def test_what_has_no_network_or_no_picture_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    here = editor("arch a\nmodel {")
    assert preview(here.documents, here.path) == {"isStale": True, "problem": "This spec has errors."}
    here = editor("library parts\nblock unit() { relu }\n")
    assert "no network" in preview(here.documents, here.path)["problem"]

    def refuse(*_: object) -> None:
        raise UserError("pictures need a package", "install it")

    monkeypatch.setattr(parts, "picture", refuse)
    here = editor(TEXT)
    shown = preview(here.documents, here.path)
    assert shown["problem"] == "pictures need a package\ninstall it"
    assert shown["table"]["rows"]


def test_the_request(tmp_path) -> None:
    wire = Wire(tmp_path.resolve(), (sys.executable, "-m", "cifar_dsl", "lsp"))
    wire.open("parts", "library parts\nblock unit() { relu }\n")
    shown = wire.request("cifar-dsl/preview", {"textDocument": {"uri": wire.uri("parts")}})
    assert shown == {"isStale": False, "problem": "A library defines blocks and has no network."}
    number = wire.ask("cifar-dsl/preview", {"textDocument": 3})
    assert wire.wait_for(lambda one: one.get("id") == number)["error"]["code"] == -32602
    (lens,) = wire.request("textDocument/codeLens", {"textDocument": {"uri": wire.uri("a")}})
    assert lens["command"]["title"] == "Show"
    assert wire.stop() == 0
