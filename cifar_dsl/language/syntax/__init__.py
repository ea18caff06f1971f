"""Text of specs -> syntax trees, and back. Nothing else imports lark."""

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
from cifar_dsl.language.syntax.recovery import Recovered, parse_recovering
from cifar_dsl.language.syntax.words import KEYWORDS, SETTING_WORDS

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
