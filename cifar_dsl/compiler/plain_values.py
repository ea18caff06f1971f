"""The values of a block's parameters, as the graph keeps them: numbers, words, names of blocks, and lists of these."""

from collections.abc import Mapping
from typing import cast

from cifar_dsl.compiler.values import BlockValue, Bound, Tensor, Unknown
from cifar_dsl.ir import Declaration, Size, Symbol, Value


class PlainValues:
    """Makes them. A list that many calls pass is read once, and kept once, since it may be long."""

    def __init__(self) -> None:
        self._lists: dict[int, tuple[object, Value | None]] = {}  # by identity: each with what it becomes

    def of(self, values: Mapping[str, Bound | Unknown]) -> tuple[tuple[str, Value], ...]:
        """The values of a block's parameters by name, without tensors and lists that hold some."""
        return tuple((name, plain) for name, value in values.items() if (plain := self._plain(value)) is not None)

    def _plain(self, value: Bound | Unknown) -> Value | None:
        if isinstance(value, int | float | str):  # most are
            return value
        match value:
            case BlockValue(block=block):
                return Symbol(block.name.text)
            case Tensor() | Unknown() | Declaration():
                return None
            case tuple() if not isinstance(value, Size):
                known, plain = self._lists.get(id(value), (None, None))
                if known is not value:
                    plain = self._plain_list(value)
                    self._lists[id(value)] = (value, plain)
                return plain
            case _:
                return cast("Value", value)

    def _plain_list(self, value: "tuple[Bound, ...]") -> Value | None:
        items = tuple(map(self._plain, value))
        if any(item is None for item in items):
            return None
        is_same = all(item is before for item, before in zip(items, value, strict=True))
        return cast("Value", value if is_same else items)
