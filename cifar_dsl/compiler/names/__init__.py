"""Every name of a spec, resolved once: the table that maps each mention to its definition.

The checker, the expander, the lints and the editor all read this table, so that they agree on the meaning of a name.
"""

from cifar_dsl.compiler.names.resolver import resolve_library, resolve_program, resolve_spec
from cifar_dsl.compiler.names.table import Definition, Kind, Mention, Names, definitions_of

__all__ = [
    "Definition",
    "Kind",
    "Mention",
    "Names",
    "definitions_of",
    "resolve_library",
    "resolve_program",
    "resolve_spec",
]
