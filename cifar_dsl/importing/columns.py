"""The numbers that differ between bodies that are otherwise alike, as columns of a table with a row for each body.

A column becomes a parameter of a block, or a target of a loop.
"""

import re
from collections.abc import Container, Sequence
from typing import Any

from cifar_dsl.foundation.records import define, field
from cifar_dsl.importing.trees import Parameter
from cifar_dsl.importing.unification import NOWHERE, Slot
from cifar_dsl.language.syntax import KEYWORDS, nodes
from cifar_dsl.operations.layers import JOINS, LAYERS, SCOPES

_SHORT = {"channels": "c", "features": "c"}
_TAKEN = frozenset({*LAYERS, *JOINS, *SCOPES, *KEYWORDS, "in_channels", "height", "width", "length", "classes"})


@define
class Columns:
    """The numbers that differ between bodies: parameters of a block, or targets of a loop."""

    _count: int
    _columns: dict[str, list[Any]] = field(factory=dict)
    _defaults: dict[str, nodes.Expression | None] = field(factory=dict)

    def fill(self, slot: Slot) -> nodes.Expression:
        """The expression for a slot: a column that is there, something computed of one, or a new one."""
        wanted = list(slot.values)
        for name, column in self._columns.items():
            if _fits(column, wanted):
                self._columns[name] = [a if a is not None else b for a, b in zip(column, wanted, strict=True)]
                return nodes.Name(name, NOWHERE)
        numbers = _integers(wanted)
        if numbers:
            if slot.channels and (found := _computed("in_channels", list(slot.channels), numbers)):
                return found
            for name, column in self._columns.items():
                own = _integers(column)
                if own and None not in own and (found := _computed(name, own, numbers)):
                    return found
        name = free_name(_SHORT.get(slot.name, slot.name), self._columns)
        self._columns[name] = wanted
        self._defaults[name] = slot.default
        return nodes.Name(name, NOWHERE)

    def choose(self, numbers: Sequence[int]) -> nodes.Expression:
        """A parameter that is true in the bodies of these numbers."""
        column: list[Any] = [nodes.Truth(number in numbers, NOWHERE) for number in range(self._count)]
        for name, one in self._columns.items():
            if one == column:
                return nodes.Name(name, NOWHERE)
        name = free_name("project", self._columns)
        self._columns[name] = column
        self._defaults[name] = nodes.Truth(False, NOWHERE)
        return nodes.Name(name, NOWHERE)

    def names(self) -> tuple[str, ...]:
        """The targets of a loop."""
        return tuple(self._columns)

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of a block: those without a default first."""
        found = []
        for name, column in self._columns.items():
            default = self._defaults[name]
            known = [value for value in column if value is not None]
            if default is not None and not (default in known or len(known) < len(column)):
                default = None
            found.append(Parameter(name, _kind(known), default))
        return tuple(sorted(found, key=lambda one: one.default is not None))

    def call(self, name: str, parameters: Sequence[Parameter], number: int) -> nodes.Name | nodes.CallExpression:
        """The call of a block in place of the body of this number."""
        arguments: list[nodes.Argument] = []
        for one in parameters:
            value = self._columns[one.name][number]
            if value is None:
                value = one.default if one.default is not None else self._known(one.name)
            if one.default is None:
                arguments.append(nodes.Argument(None, value, NOWHERE))
            elif value != one.default:
                arguments.append(nodes.Argument(nodes.Identifier(one.name, NOWHERE), value, NOWHERE))
        callee = nodes.Identifier(name, NOWHERE)
        return nodes.CallExpression(callee, tuple(arguments), NOWHERE) if arguments else nodes.Name(name, NOWHERE)

    def rows(self) -> nodes.Sequence:
        """The values of a loop: one row for each body."""
        rows: list[nodes.Expression] = []
        for number in range(self._count):
            values = tuple(column[number] for column in self._columns.values())
            rows.append(values[0] if len(values) == 1 else nodes.Sequence(values, True, NOWHERE))
        return nodes.Sequence(tuple(rows), False, NOWHERE)

    def _known(self, name: str) -> nodes.Expression:
        found: nodes.Expression = next(value for value in self._columns[name] if value is not None)
        return found


def _fits(column: Sequence[Any], wanted: Sequence[Any]) -> bool:
    return all(a is None or b is None or a == b for a, b in zip(column, wanted, strict=True))


def _integers(values: Sequence[Any]) -> list[int | None]:
    """The values, if all are integers or None; else none."""
    found: list[int | None] = []
    for value in values:
        if value is None:
            found.append(None)
        elif isinstance(value, nodes.Number) and isinstance(value.value, int):
            found.append(value.value)
        else:
            return []
    return found


def _computed(name: str, known: Sequence[int | None], wanted: Sequence[int | None]) -> nodes.Expression | None:
    """The wanted numbers as a multiple, or an integer fraction, of known ones."""
    pairs = [(a, b) for a, b in zip(known, wanted, strict=True) if a and b]
    if not pairs or len(pairs) != sum(one is not None for one in wanted):
        return None
    source = nodes.Name(name, NOWHERE)
    factor, divisor = pairs[0][1] // pairs[0][0], pairs[0][0] // pairs[0][1]
    if all(a == b for a, b in pairs):
        return source
    if factor > 1 and all(factor * a == b for a, b in pairs):
        return nodes.Operation((nodes.Number(factor, str(factor), NOWHERE), source), ("*",), NOWHERE)
    if divisor > 1 and all(divisor * b == a for a, b in pairs):
        return nodes.Operation((source, nodes.Number(divisor, str(divisor), NOWHERE)), ("//",), NOWHERE)
    return None


def _kind(values: Sequence[Any]) -> str:
    if all(isinstance(value, nodes.Truth) for value in values):
        return "bool"
    if any(isinstance(value, nodes.SizeLiteral) for value in values):
        return "size"
    return "int" if _integers(values) else "float"


def block_name(kind: str) -> str:
    """The name of a block for a class of modules: `BasicBlock` -> `basic_block`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind).lower().strip("_")
    return f"{words}_block" if words in _TAKEN or not words[:1].isalpha() else words


def free_name(name: str, taken: Container[str]) -> str:
    """A name that is neither taken nor one of the language: `stride2` if there is a `stride`."""
    if name in _TAKEN:
        name = f"{name}_"
    found, number = name, 2
    while found in taken:
        found = f"{name}{number}"
        number += 1
    return found
