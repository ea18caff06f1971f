import json

import pytest
from lark.parsers.lalr_parser import LALR_Parser

from cifar_dsl.foundation.resources import grammar_path
from cifar_dsl.language.syntax import KEYWORDS, tables
from cifar_dsl.language.syntax.lalr import END
from cifar_dsl.language.syntax.words import TERMINALS


def test_grammar_is_lalr_without_conflicts_or_ambiguous_terminals() -> None:
    pytest.importorskip("interegular", reason="lark's strict mode compares terminals with it")
    parser = tables.build(strict=True)
    assert isinstance(parser.parser.parser, LALR_Parser)


def test_prepared_tables_are_those_of_the_grammar() -> None:
    assert tables._TABLES.read_text(encoding="utf-8") == tables.generate(), "run `python -m cifar_dsl.language.syntax`"


def test_prepared_tables_are_used() -> None:
    assert tables._prepared() == json.loads(tables._TABLES.read_text(encoding="utf-8"))


def test_tables_of_another_grammar_are_not_used(tmp_path, monkeypatch) -> None:
    (tmp_path / "tables.json").write_text(json.dumps({"key": "another"}), encoding="utf-8")
    monkeypatch.setattr(tables, "_TABLES", tmp_path / "tables.json")
    assert tables._prepared.__wrapped__() == tables.generated()


def test_keywords_match_the_grammar() -> None:
    literals = {terminal.pattern.value for terminal in tables.build().terminals if terminal.pattern.type == "str"}
    assert {word for word in literals if word.isalpha()} == KEYWORDS


def test_every_terminal_that_is_no_fixed_text_has_a_description_for_messages() -> None:
    patterns = {terminal.name for terminal in tables.build().terminals if terminal.pattern.type == "re"}
    assert patterns - tables.terminals().ignored | {END} == set(TERMINALS)


def test_comments_of_the_grammar_do_not_make_the_tables_stale(tmp_path, monkeypatch) -> None:
    commented = "// another comment\n" + grammar_path().read_text(encoding="utf-8").replace("*\n", "*  // and one\n", 1)
    (tmp_path / "arch.lark").write_text(commented, encoding="utf-8")
    key = tables._key()
    monkeypatch.setattr(tables, "grammar_path", lambda: tmp_path / "arch.lark")
    assert tables._key() == key


def test_grammar_does_not_use_other_scripts_digits() -> None:
    assert r"\d" not in "".join(
        line for line in grammar_path().read_text(encoding="utf-8").splitlines() if not line.startswith("//")
    )
