"""Text of specs -> syntax trees, and back. Nothing else imports lark.

In the order in which a text passes through:

- `tables`: lark's parser, made from `grammar/arch.lark` or from the prepared `tables.json`, and its lexer
- `layout`: drops the new lines that end nothing; bounds brackets and lengths
- `builder`: lark's tree -> `nodes`, the syntax tree
- `parser`: all of that for a right text (`parse_spec`, `parse_override`, `parse_axis`)
- `tolerant_layout`, `repairs`: the same for any text: brackets are balanced, what stands in a wrong place is repaired
- `mistakes`: what had to be repaired, as diagnostics, in the words of `explanations`
- `recovery`: what could be read, as a tree (`parse_recovering`), for editors
- `printer`: tree -> text; `lines`, `formatter`: text -> canonical text with its comments
- `words`: the keywords, and the names of settings
"""

from typing import TYPE_CHECKING, Any

from cifar_dsl.language.syntax import nodes
from cifar_dsl.language.syntax.parser import parse_axis, parse_override, parse_spec
from cifar_dsl.language.syntax.printer import (
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
    "print_body",
    "print_chain",
    "print_expression",
    "print_head",
    "print_override",
    "print_spec",
]


def __getattr__(name: str) -> Any:  # only editors and wrong specs need the rest
    if name not in {"Recovered", "parse_recovering"}:
        raise AttributeError(name)
    from cifar_dsl.language.syntax import recovery

    return getattr(recovery, name)
