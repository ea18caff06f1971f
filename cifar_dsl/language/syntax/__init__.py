"""Parses the text of specs into syntax trees, and prints trees as text. Nothing else imports lark.

A text without errors passes through

- `tables`: the tables of lexer and parser, prepared in `tables.json` or built by lark from `grammar/arch.lark`
- `lexer`: text to tokens
- `newlines`: drops the new lines that end nothing, and limits nesting and lengths
- `lalr`: tokens to the tree of the grammar's rules
- `builder`: turns this tree into `nodes`, the syntax tree
- `parser`: runs these steps (`parse_spec`, `parse_override`, `parse_axis`)

A text with errors passes through

- `balancing`: replaces `newlines`, and balances brackets
- `repairs`: replaces the parser: inserts and drops tokens so that the text parses
- `syntax_errors`: reports the repairs as diagnostics, with the messages of `explanations`
- `recovery`: builds the tree of the repaired text (`parse_recovering`), for editors and to check the rest of the text

and for output and editors there are

- `printer`: syntax tree to text
- `lines`, `formatter`: text to canonical text, with comments
- `cursor`: the open brackets at a place in any text, for completion
- `words`: keywords, and names of settings
"""

from typing import TYPE_CHECKING, Any

from cifar_dsl.language.syntax import nodes
from cifar_dsl.language.syntax.parser import parse_axis, parse_override, parse_spec
from cifar_dsl.language.syntax.printer import (
    print_axes,
    print_body,
    print_chain,
    print_expression,
    print_head,
    print_override,
    print_spec,
)
from cifar_dsl.language.syntax.words import KEYWORDS, SETTING_WORDS

if TYPE_CHECKING:
    from cifar_dsl.language.syntax.recovery import Recovered, parse_recovering

__all__ = [
    "KEYWORDS",
    "SETTING_WORDS",
    "Recovered",
    "nodes",
    "parse_axis",
    "parse_override",
    "parse_recovering",
    "parse_spec",
    "print_axes",
    "print_body",
    "print_chain",
    "print_expression",
    "print_head",
    "print_override",
    "print_spec",
]


def __getattr__(name: str) -> Any:  # only needed for editors and for specs with errors
    if name not in {"Recovered", "parse_recovering"}:
        raise AttributeError(name)
    from cifar_dsl.language.syntax import recovery

    return getattr(recovery, name)
