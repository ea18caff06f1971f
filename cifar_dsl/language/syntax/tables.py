"""The parser's tables: made by lark from `grammar/arch.lark`, and prepared in `tables.json`.

Building LALR tables takes longer than checking a spec, so they are kept in `tables.json` beside this file, as plain
data. They are used only when they were made from these very rules (comments don't count); otherwise lark builds them
again. `python -m cifar_dsl.language.syntax` writes the file; a test fails when it is stale.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.resources import grammar_path
from cifar_dsl.language.syntax.lalr import Rule, Tables

if TYPE_CHECKING:
    import lark

START_SPEC = "spec"
START_OVERRIDE = "override"
START_AXIS = "axis"

_TABLES = Path(__file__).with_name("tables.json")


@frozen
class Terminals:
    """A regular expression for any token, and the types of fixed texts: keywords and signs.

    The type of any other token is the name of the group that matched.
    """

    pattern: str
    texts: dict[str, str]
    ignored: frozenset[str]


@cache
def _prepared() -> dict[str, Any]:
    if _TABLES.is_file():
        stored: dict[str, Any] = json.loads(_TABLES.read_text(encoding="utf-8"))
        if stored["key"] == _key():
            return stored
    return generated()


@cache
def tables() -> Tables:
    """The parser's tables."""
    data = _prepared()
    rules = [Rule(*rule) for rule in data["rules"]]
    return Tables(data["actions"], data["gotos"], rules, data["starts"])


@cache
def terminals() -> Terminals:
    """The lexer's terminals."""
    data = _prepared()
    return Terminals(data["pattern"], data["texts"], frozenset(data["ignored"]))


def build(**options: Any) -> "lark.Lark":
    """Lark's parser, made from the grammar. `options` are lark's."""
    from lark import Lark

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


def generated() -> dict[str, Any]:
    """The content of `tables.json` for the grammar as it stands, always the same."""
    parser = build()
    return {"key": _key(), **_terminals(parser), **_tables(parser)}


def _terminals(parser: "lark.Lark") -> dict[str, Any]:
    """Ordered as in lark's lexer: by priority; patterns before fixed texts; the longest first."""
    patterns = [terminal for terminal in parser.terminals if terminal.pattern.type == "re"]
    patterns.sort(key=lambda one: (-one.priority, -one.pattern.max_width, -len(one.pattern.value), one.name))
    texts = {one.pattern.value: one.name for one in parser.terminals if one.pattern.type == "str"}
    words = "|".join(f"(?P<{one.name}>{one.pattern.to_regexp()})" for one in patterns)
    signs = [text for text in texts if not re.fullmatch(words, text)]  # a keyword is a NAME first
    signs.sort(key=lambda text: (-len(text), text))
    pattern = "|".join([words, *map(re.escape, signs)])
    return {"pattern": pattern, "texts": dict(sorted(texts.items())), "ignored": parser.ignore_tokens}


def _tables(parser: "lark.Lark") -> dict[str, Any]:
    """The tables of lark's parser, with its states renumbered: lark numbers them in the order of a set."""
    table = parser.parser.parser._parse_table  # noqa: SLF001
    rules = sorted(parser.rules, key=lambda rule: (rule.origin.name, rule.order))
    first = [table.start_states[name] for name in sorted(table.start_states)]
    order = {state: i for i, state in enumerate(first)}
    waiting = first.copy()
    actions: list[dict[str, int]] = []
    gotos: list[dict[str, int]] = []
    for state in waiting:  # which grows
        actions.append({})
        gotos.append({})
        for name, (action, target) in sorted(table.states[state].items()):
            if action.name == "Reduce":
                actions[-1][name] = ~rules.index(target)
                continue
            if target not in order:
                order[target] = len(order)
                waiting.append(target)
            (actions if name.isupper() else gotos)[-1][name] = order[target]
    starts = {name: [order[state], order[table.end_states[name]]] for name, state in sorted(table.start_states.items())}
    return {"starts": starts, "rules": [_rule(rule) for rule in rules], "actions": actions, "gotos": gotos}


def _rule(rule: Any) -> list[Any]:
    """The arguments of `lalr.Rule`."""
    kept = rule.options.keep_all_tokens
    children: list[int | None] = []
    symbols = iter(enumerate(rule.expansion))
    for is_absent in rule.options.empty_indices or [False] * len(rule.expansion):
        if is_absent:  # a `[...]` between the symbols
            children.append(None)
            continue
        i, symbol = next(symbols)
        if kept or not (symbol.is_term and symbol.filter_out):
            children.append(i)
    is_inlined = rule.origin.name.startswith("_")
    yields_child = rule.options.expand1 and not rule.alias
    name = None if is_inlined else rule.alias or rule.origin.name
    return [rule.origin.name, len(rule.expansion), name, yields_child, children]


def _key() -> str:
    lines = grammar_path().read_text(encoding="utf-8").splitlines()
    return "\n".join(line.partition(" //")[0].rstrip() for line in lines if not line.startswith("//"))


def generate() -> str:
    """The text of `tables.json`."""
    return json.dumps(generated(), separators=(",", ":")) + "\n"


def write() -> None:
    """Rewrite `tables.json`."""
    _TABLES.write_text(generate(), encoding="utf-8")
