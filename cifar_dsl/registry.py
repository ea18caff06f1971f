"""How anything with a name in the language is declared: its arguments, their kinds, and where to find it.

A layer, an optimizer, a schedule or an augmentation is one frozen class in one place. Argument checking,
defaults, documentation, and the generators of the tests all follow from its fields.
"""

import math
import re
from collections.abc import Callable, Hashable, Iterator
from functools import cache, cached_property
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, cast, dataclass_transform

import attrs
from attrs import field, frozen

from cifar_dsl.ir import Call, Size, Symbol, Value

T = TypeVar("T")

_KIND = "kind"
_DOC = "doc"


class UnfitError(Exception):
    """A value that is not of the kind asked for; the text says what was expected."""


class MisfitError(Exception):
    """An argument, or none in particular, that does not go with the layer's input.

    `argument` is the name of the field at fault; `label` is what to write beneath it.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        argument: str | None = None,
        label: str = "",
        help: tuple[str, ...] = (),  # noqa: A002
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.argument = argument
        self.label = label
        self.help = help


# ---- kinds of arguments


class Kind(Protocol):
    """What values an argument takes."""

    def accept(self, value: Value) -> Any:
        """The value in its canonical form: a Value, or what a call of the language declares. Raises UnfitError."""
        ...

    def describe(self) -> str:
        """What is expected, as in "an integer of at least 1"."""
        ...

    def symbols(self) -> tuple[str, ...]:
        """The bare words that it takes."""
        ...


@frozen
class Int:
    """An integer between `low` and `high`, both allowed."""

    low: int
    high: int = 10**9

    def accept(self, value: Value) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise UnfitError(self.describe())
        return value

    def describe(self) -> str:
        return f"an integer of at least {self.low}" if self.high >= 10**9 else f"an integer {self.low} to {self.high:,}"

    def symbols(self) -> tuple[str, ...]:
        return ()


@frozen
class Float:
    """A number between `low` and `high`; `open_low` and `open_high` exclude the ends.

    Where `whole`, a number without a fraction is an integer in its canonical form.
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
        return float(value) + 0.0  # -0.0 is 0.0, also for the fingerprint

    def describe(self) -> str:
        parts = []
        if self.low > -math.inf:
            parts.append(f"{'greater than' if self.open_low else 'at least'} {self.low:g}")
        if self.high < math.inf:
            parts.append(f"{'less than' if self.open_high else 'at most'} {self.high:g}")
        return f"a number {' and '.join(parts)}".rstrip()

    def symbols(self) -> tuple[str, ...]:
        return ()


@frozen
class Bool:
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
class Pair:
    """Height and width: `3` stands for `3x3`. Canonical form: a tuple of two integers."""

    low: int
    high: int = 10_000

    def accept(self, value: Value) -> tuple[int, int]:
        extents = value if isinstance(value, Size) else (value, value)
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
class Choice:
    """One of some bare words."""

    names: tuple[str, ...]

    def accept(self, value: Value) -> str:
        if not isinstance(value, Symbol) or value not in self.names:
            raise UnfitError(self.describe())
        return str(value)

    def describe(self) -> str:
        return " or ".join(f"`{name}`" for name in self.names)

    def symbols(self) -> tuple[str, ...]:
        return self.names


@frozen
class Text:
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
class Pattern:
    """Quoted text that stands for paths of parameters, in which `*` is anything: `"stem.*.bias"`."""

    def accept(self, value: Value) -> str:
        if not isinstance(value, str) or isinstance(value, Symbol) or not re.fullmatch(r"[A-Za-z0-9_.*]+", value):
            raise UnfitError(self.describe())
        return value

    def describe(self) -> str:
        return 'a quoted path of parameters such as "stem.*.bias"'

    def symbols(self) -> tuple[str, ...]:
        return ()


@frozen
class ListOf:
    """A list of values of one kind, with so many items or at most so many; a single value stands for a list of one."""

    item: Kind
    length: int | None = None
    most: int | None = None

    def accept(self, value: Value) -> tuple[Value, ...]:
        items = value if isinstance(value, tuple) and not isinstance(value, Size) else (value,)
        if (self.length is not None and len(items) != self.length) or (self.most and len(items) > self.most):
            raise UnfitError(self.describe())
        try:
            return tuple(self.item.accept(item) for item in items)
        except UnfitError:
            raise UnfitError(self.describe()) from None

    def describe(self) -> str:
        size = f" of {self.length}" if self.length else f" of at most {self.most}" if self.most else ""
        return f"a list{size}, each {self.item.describe()}"

    def symbols(self) -> tuple[str, ...]:
        return self.item.symbols()


@frozen
class OneOf:
    """A value of any of some kinds; the first that takes it decides the canonical form."""

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


@frozen
class CallOf:
    """A choice from a registry, or from some `names` of it, with arguments of its own: `normal(std=0.02)`."""

    registry: "Registry[Any]"
    names: tuple[str, ...] | None = None

    def accept(self, value: Value) -> "Declaration":
        if isinstance(value, Call) and value.name in self.symbols():
            return cast("Declaration", self.registry.of(value))
        if isinstance(value, Symbol) and value in self.symbols():
            declaration = self.registry[value]
            if not any(info.is_required for info in arguments_of(declaration)):
                return cast("Declaration", declaration())
        raise UnfitError(self.describe())

    def describe(self) -> str:
        return f"one of {', '.join(self.symbols())}"

    def symbols(self) -> tuple[str, ...]:
        return self.names or tuple(self.registry)


# ---- declarations


def argument(kind: Kind, doc: str, *, default: Any = attrs.NOTHING) -> Any:
    """Declare a field of a declaration as an argument of the language. Fields stand in positional order."""
    return field(default=default, metadata={_KIND: kind, _DOC: doc})


@frozen(slots=False)
class ArgumentInfo:
    """One argument of a declaration, as `arguments_of` finds it."""

    name: str
    kind: Kind
    doc: str
    default: Any

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is attrs.NOTHING

    @cached_property
    def default_in_call(self) -> Value:
        """The default as a call of the IR holds it."""
        return _as_call(self.default)


@dataclass_transform(frozen_default=True, field_specifiers=(argument,))
def declared(cls: type[T]) -> type[T]:
    """Make a frozen class of arguments."""
    return attrs.frozen(repr=False)(cls)  # Declaration has one for all: generating each slows every start


class Declaration:
    """What every declared thing has: a name in the language, and arguments."""

    name: ClassVar[str]
    is_positional: ClassVar[bool] = False  # whether a person writes what is required without its name

    def call(self) -> Call:
        """Name and arguments as the IR holds them."""
        canonical = self.canonical()
        arguments: list[tuple[str, Value]] = []
        defaults: list[str] = []
        for info in arguments_of(type(self)):
            value = getattr(canonical, info.name)
            if value is info.default or value == info.default:
                arguments.append((info.name, info.default_in_call))
                defaults.append(info.name)
            else:
                arguments.append((info.name, _as_call(value)))
        return Call(self.name, tuple(arguments), frozenset(defaults))

    def canonical(self) -> Self:
        """The same thing, said in the one way that stands for all ways to say it."""
        return self

    def changed(self, **arguments: Value) -> Self:
        """The same thing with other values of some arguments."""
        return cast("Self", attrs.evolve(cast("Any", self), **arguments))

    def check(self) -> None:
        """Do the arguments go with each other? Raises MisfitError."""

    def __repr__(self) -> str:
        return self.brief()

    def brief(self) -> str:
        """The call as a person would write it: without what is the default anyway."""
        call = self.call()
        shown = [
            ("" if info.is_required and self.is_positional else f"{name}=") + written(value, info.kind)
            for info, (name, value) in zip(arguments_of(type(self)), call.arguments, strict=True)
            if name not in call.defaults
        ]
        return f"{self.name}({', '.join(shown)})" if shown else self.name


def _as_call(value: Any) -> Value:
    return value.call() if isinstance(value, Declaration) else cast("Value", value)


def written(value: Value, kind: Kind) -> str:
    """A value of an argument of this kind, as a person writes it in a spec."""
    match value:
        case Call():
            assert isinstance(kind, CallOf)
            return cast("Declaration", kind.registry.of(value)).brief()
        case Declaration():
            return value.brief()
        case bool():
            return "true" if value else "false"
        case (int(height), int(width)) if _takes_pairs(kind):
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
    """Whether a value is text and no bare word."""
    if isinstance(kind, OneOf):
        return value not in kind.symbols() and any(_is_quoted(value, one) for one in kind.kinds)
    return isinstance(kind, Text | Pattern)


def _takes_pairs(kind: Kind) -> bool:
    return isinstance(kind, Pair) or (isinstance(kind, OneOf) and any(map(_takes_pairs, kind.kinds)))


def arguments_of(declaration: type[Declaration]) -> tuple[ArgumentInfo, ...]:
    """The arguments that a declared class takes, in positional order."""
    return _arguments_of(cast("Hashable", declaration))


@cache
def _arguments_of(declaration: Any) -> tuple[ArgumentInfo, ...]:
    return tuple(
        ArgumentInfo(a.name, a.metadata[_KIND], a.metadata[_DOC], a.default) for a in attrs.fields(declaration)
    )


D = TypeVar("D", bound=Declaration)
C = TypeVar("C", bound=type[Declaration])


class Registry(Generic[D]):
    """The declared things of one sort, by name. `noun` is what messages call one of them."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._declared: dict[str, type[D]] = {}

    def register(self, name: str) -> Callable[[C], C]:
        """Class decorator: enter a frozen class of arguments under `name`."""

        def enter(declared: C) -> C:
            if name in self._declared:
                raise ValueError(f"{self.noun} {name!r} is declared twice")
            declared.name = name
            self._declared[name] = cast("type[D]", declared)
            return declared

        return enter

    def __getitem__(self, name: str) -> type[D]:
        return self._declared[name]

    def __contains__(self, name: object) -> bool:
        return name in self._declared

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def of(self, call: Call) -> D:
        """The declared thing that a call of the IR stands for."""
        declaration = self._declared[call.name]
        kinds = {info.name: info.kind for info in arguments_of(declaration)}
        return declaration(**{name: _restored(kinds[name], value) for name, value in call.arguments})


def _restored(kind: Kind, value: Value) -> Any:
    return kind.accept(value) if isinstance(value, Call) else value
