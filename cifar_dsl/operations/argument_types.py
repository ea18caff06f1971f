"""Argument types: the values that an argument accepts, and how messages describe them."""

import math
import re
from collections.abc import Callable
from typing import Any, cast

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.limits import Limits
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import alternatives
from cifar_dsl.ir import Declaration, Kind, Size, Symbol, Value
from cifar_dsl.ir import Pattern as AxisPattern


class UnfitError(Exception):
    """A value of another type; the message describes the expected values."""


class Written:
    """Base of the types whose values are written by `written`."""

    def write(self, value: Any) -> str:
        return written(value, cast("Kind", self))


@frozen
class Int(Written):
    """An integer from `low` to `high`, inclusive."""

    low: int
    high: int = 10**9

    def accept(self, value: Value) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise UnfitError(self.describe())
        return value

    def describe(self) -> str:
        return (
            f"an integer of at least {self.low}"
            if self.high >= 10**9
            else f"an integer from {self.low} to {self.high:,}"
        )

    def symbols(self) -> tuple[str, ...]:
        return ()


@frozen
class Float(Written):
    """A finite number from `low` to `high`; `open_low` and `open_high` exclude the ends.

    With `whole`, the canonical form of a number without a fraction is an integer.
    """

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    whole: bool = False

    def accept(self, value: Value) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UnfitError(self.describe())
        is_low = value <= self.low if self.open_low else value < self.low
        is_high = value >= self.high if self.open_high else value > self.high
        if is_low or is_high or not math.isfinite(value):
            raise UnfitError(self.describe())
        if self.whole and value == int(value):
            return int(value)
        return float(value) + 0.0  # -0.0 becomes 0.0, so that both have one fingerprint

    def describe(self) -> str:
        if math.isfinite(self.low) and math.isfinite(self.high) and not (self.open_low or self.open_high):
            return f"a number from {self.low:g} to {self.high:g}"
        parts = []
        if self.low > -math.inf:
            parts.append(f"{'greater than' if self.open_low else 'at least'} {self.low:g}")
        if self.high < math.inf:
            parts.append(f"{'less than' if self.open_high else 'at most'} {self.high:g}")
        bounds = " and ".join(parts)
        return f"a number of {bounds}" if bounds.startswith("at") else f"a number {bounds}".rstrip()

    def symbols(self) -> tuple[str, ...]:
        return ()


@frozen
class Bool(Written):
    """`true` or `false`."""

    def accept(self, value: Value) -> bool:
        if not isinstance(value, bool):
            raise UnfitError(self.describe())
        return value

    def describe(self) -> str:
        return "true or false"

    def symbols(self) -> tuple[str, ...]:
        return ()


@frozen
class Pair(Written):
    """Height and width, `3x5` or `(3, 5)`; `3` means `3x3`. The canonical form is a tuple of two integers."""

    low: int
    high: int = 10_000

    def accept(self, value: Value) -> tuple[int, int]:
        extents = value if isinstance(value, tuple) else (value, value)
        if len(extents) != 2:
            raise UnfitError(self.describe())
        height, width = extents
        for extent in extents:
            if isinstance(extent, bool) or not isinstance(extent, int) or not self.low <= extent <= self.high:
                raise UnfitError(self.describe())
        return (height, width)  # type: ignore[return-value]

    def describe(self) -> str:
        return f"an integer of at least {self.low}, or a size such as 3x3"

    def symbols(self) -> tuple[str, ...]:
        return ()


@frozen
class Extents(Written):
    """The shape of a tensor: `8`, `1x192` or `(1, d)`, one to three integers. The canonical form is a tuple."""

    def accept(self, value: Value) -> tuple[int, ...]:
        extents = value if isinstance(value, tuple) else (value,)
        if not 1 <= len(extents) <= 3:
            raise UnfitError(self.describe())
        try:
            return tuple(Int(1).accept(extent) for extent in extents)
        except UnfitError:
            raise UnfitError(self.describe()) from None

    def describe(self) -> str:
        return "an integer of at least 1, or a size such as 1x192"

    def symbols(self) -> tuple[str, ...]:
        return ()

    def write(self, value: Any) -> str:
        return "x".join(map(str, value))


@frozen
class Choice(Written):
    """One of several bare words."""

    names: tuple[str, ...]

    def accept(self, value: Value) -> str:
        if not isinstance(value, Symbol) or value not in self.names:
            raise UnfitError(self.describe())
        return str(value)

    def describe(self) -> str:
        return alternatives([f"`{name}`" for name in self.names])

    def symbols(self) -> tuple[str, ...]:
        return self.names


@frozen
class Text(Written):
    """Quoted text of hexadecimal digits."""

    def accept(self, value: Value) -> str:
        if isinstance(value, Symbol) or not isinstance(value, str) or not value:
            raise UnfitError(self.describe())
        if set(value) - set("0123456789abcdef"):
            raise UnfitError(self.describe())
        return value

    def describe(self) -> str:
        return "quoted hexadecimal digits"

    def symbols(self) -> tuple[str, ...]:
        return ()


@frozen
class Pattern(Written):
    """A quoted pattern of parameter paths, in which `*` matches any text: `"stem.*.bias"`."""

    def accept(self, value: Value) -> str:
        if not isinstance(value, str) or isinstance(value, Symbol) or not re.fullmatch(r"[A-Za-z0-9_.*]+", value):
            raise UnfitError(self.describe())
        return value

    def describe(self) -> str:
        return 'a quoted path of parameters such as "stem.*.bias"'

    def symbols(self) -> tuple[str, ...]:
        return ()


@frozen
class Axes(Written):
    """The pattern of a call, which is written before its arguments: `c, h, w -> 1, h, w`."""

    def accept(self, value: Value) -> AxisPattern:
        if not isinstance(value, AxisPattern):
            raise UnfitError(self.describe())
        return value

    def describe(self) -> str:
        return "a pattern such as `c, h, w -> 1, h, w`"

    def symbols(self) -> tuple[str, ...]:
        return ()

    def write(self, value: AxisPattern) -> str:
        return value.text


@frozen
class Stage(Written):
    """A stage, by the name of a block or of a layer; the compiler accepts blocks."""

    def accept(self, value: Value) -> str:
        from cifar_dsl.operations.layers import LAYERS  # which have arguments of these types

        if not isinstance(value, Symbol) or value not in LAYERS:
            raise UnfitError(self.describe())
        return value

    def describe(self) -> str:
        return "a block or a layer"

    def symbols(self) -> tuple[str, ...]:
        return ()


@frozen
class ListOf(Written):
    """A list of values of one type, with `length` or at most `most` items; a single value means a list of one."""

    item: Kind
    length: int | None = None
    most: Callable[[Limits], int] | None = None

    def accept(self, value: Value) -> tuple[Value, ...]:
        items = value if isinstance(value, tuple) and not isinstance(value, Size) else (value,)
        if (self.length is not None and len(items) != self.length) or (
            self.most and len(items) > self.most(limits.current())
        ):
            raise UnfitError(self.describe())
        try:
            return tuple(self.item.accept(item) for item in items)
        except UnfitError:
            raise UnfitError(self.describe()) from None

    def describe(self) -> str:
        size = f"{self.length} " if self.length else f"at most {self.most(limits.current())} " if self.most else ""
        return f"a list of {size}values, each {self.item.describe()}"

    def symbols(self) -> tuple[str, ...]:
        return self.item.symbols()


@frozen
class OneOf(Written):
    """A value of any of several types; the first that accepts it decides the canonical form."""

    kinds: tuple[Kind, ...]

    def accept(self, value: Value) -> Any:
        for kind in self.kinds:
            try:
                return kind.accept(value)
            except UnfitError:
                continue
        raise UnfitError(self.describe())

    def describe(self) -> str:
        return ", or ".join(kind.describe() for kind in self.kinds)

    def symbols(self) -> tuple[str, ...]:
        return tuple(symbol for kind in self.kinds for symbol in kind.symbols())


def written(value: Any, kind: Kind) -> str:
    """The spec text of a value of this type."""
    match value:
        case Declaration():
            return value.brief()
        case bool():
            return "true" if value else "false"
        case (int(height), int(width)) if _accepts_pairs(kind):
            return str(height) if height == width else f"{height}x{width}"
        case tuple():
            item = kind.item if isinstance(kind, ListOf) else kind
            return f"[{', '.join(written(part, item) for part in value)}]"
        case float():
            return f"{value:.12g}"
        case str() if _is_quoted(value, kind):
            return f'"{value}"'
        case _:
            return str(value)


def _is_quoted(value: str, kind: Kind) -> bool:
    """Whether a value is quoted text, not a bare word."""
    if isinstance(kind, OneOf):
        return value not in kind.symbols() and any(_is_quoted(value, one) for one in kind.kinds)
    return isinstance(kind, Text | Pattern)


def _accepts_pairs(kind: Kind) -> bool:
    return isinstance(kind, Pair) or (isinstance(kind, OneOf) and any(map(_accepts_pairs, kind.kinds)))
