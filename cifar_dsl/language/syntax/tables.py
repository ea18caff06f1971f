"""The parser, built from prepared tables if they match the grammar, else from the grammar itself.

Building LALR tables takes five times as long as checking a spec, so `tables.json` stores them. It holds plain
data (lark's own cache would be a pickle in a predictable temporary path) and is used only if it was built from the
same rules (comments don't count) by the same version of lark. `python -m cifar_dsl.language.syntax` regenerates it; a
test fails if it is stale.

All uses of undocumented lark APIs are here: `Lark._load_from_dict` and `memo_serialize`, since lark's public ways
to store tables are generated code and pickles; and `BasicLexer`, `LexerThread` and `lexer_conf`, since `Lark.lex`
builds a new lexer for each text.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import lark
from lark import Lark, Token
from lark.lexer import BasicLexer, LexerThread

from cifar_dsl.foundation.resources import grammar_path
from cifar_dsl.language.syntax.newlines import NewLineFilter

START_SPEC = "spec"
START_OVERRIDE = "override"
START_AXIS = "axis"

_TABLES = Path(__file__).with_name("tables.json")


@cache
def parser() -> Lark:
    """The parser of specs, overrides and axes."""
    if _TABLES.is_file():
        stored = json.loads(_TABLES.read_text(encoding="utf-8"))
        if stored["key"] == _key():
            # As lark's standalone parsers do. JSON turns the integer keys of the tables into text.
            return Lark._load_from_dict(  # type: ignore[no-untyped-call,no-any-return]  # noqa: SLF001
                _with_integer_keys(stored["data"]),
                {int(k): v for k, v in stored["memo"].items()},
                postlex=NewLineFilter(),
            )
    return build(postlex=NewLineFilter())


@cache
def _lexer() -> BasicLexer:
    """The shared lexer: `Lark.lex` would build one for each text, which takes longer than reading a short text."""
    return BasicLexer(parser().lexer_conf)


def lex(text: str) -> Iterator[Token]:
    """The tokens for the parser. Raises the errors of NewLineFilter and lark's lexer lazily."""
    return NewLineFilter().process(raw_tokens(text))


def raw_tokens(text: str) -> Iterator[Token]:
    """The tokens of a text, with all new lines. Raises the errors of lark's lexer lazily."""
    return LexerThread.from_text(_lexer(), text).lex(None)  # type: ignore[no-any-return,no-untyped-call]


def build(**options: Any) -> Lark:
    """Build the parser from the grammar. `options` are passed to lark."""
    return Lark(
        grammar_path().read_text(encoding="utf-8"),
        parser="lalr",
        # Keywords are reserved, so the lexer needs no context, and NewLineFilter can look one token ahead.
        lexer="basic",
        start=[START_SPEC, START_OVERRIDE, START_AXIS],
        propagate_positions=True,
        maybe_placeholders=True,
        **options,
    )


def generate() -> str:
    """The text of `tables.json` for the current grammar. Deterministic."""
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    data, memo = build().memo_serialize([TerminalDef, Rule])
    tables = data["parser"]["parser"]
    data["parser"]["parser"] = tables | _numbered(tables)
    return json.dumps({"key": _key(), "data": data, "memo": memo}, separators=(",", ":")) + "\n"


def _numbered(tables: dict[str, Any]) -> dict[str, Any]:
    """The tables with tokens and states renumbered, since lark numbers them in the order of sets."""
    names = tables["tokens"]
    starts = tables["start_states"]
    number = {name: i for i, name in enumerate(sorted(names.values()))}
    order = [starts[name] for name in sorted(starts)]
    actions: dict[int, list[tuple[str, Any]]] = {}
    for state in order:  # grows during the loop
        actions[state] = sorted((names[token], action) for token, action in tables["states"][state].items())
        found = (target for _, (is_reduce, target) in actions[state] if not is_reduce)
        order.extend(target for target in dict.fromkeys(found) if target not in order)
    place = {state: i for i, state in enumerate(order)}
    return {
        "tokens": {i: name for name, i in number.items()},
        "states": {
            place[state]: {
                number[name]: (is_reduce, target if is_reduce else place[target])
                for name, (is_reduce, target) in actions[state]
            }
            for state in order
        },
        "start_states": {name: place[state] for name, state in sorted(starts.items())},
        "end_states": {name: place[state] for name, state in sorted(tables["end_states"].items())},
    }


def _key() -> str:
    lines = grammar_path().read_text(encoding="utf-8").splitlines()
    rules = "\n".join(line.partition(" //")[0].rstrip() for line in lines if not line.startswith("//"))
    return f"lark {lark.__version__}\n{rules}"


def write() -> None:
    """Regenerate `tables.json`."""
    _TABLES.write_text(generate(), encoding="utf-8")


def _with_integer_keys(data: dict[str, Any]) -> dict[str, Any]:
    tables = data["parser"]["parser"]
    tables["tokens"] = {int(token): name for token, name in tables["tokens"].items()}
    tables["states"] = {
        int(state): {int(token): action for token, action in actions.items()}
        for state, actions in tables["states"].items()
    }
    return data
