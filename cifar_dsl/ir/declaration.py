"""How anything with a name in the language is declared: one frozen class, whose fields are its arguments.

A layer, a join, an optimizer, a schedule or an augmentation is one such class. Argument checking, defaults,
documentation and the generators of the tests all follow from its fields. Graphs and recipes hold instances.
"""

from collections.abc import Hashable
from functools import cache, cached_property
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast, dataclass_transform

import attrs
from attrs import field

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir.values import Call, PlainValue, Value

T = TypeVar("T")

_KIND = "kind"
_DOC = "doc"


class Kind(Protocol):
    """What values an argument takes; `operations/argument_types.py` has them."""

    def accept(self, value: Value) -> Any:
        """The value in its canonical form. Raises UnfitError."""
        ...

    def describe(self) -> str:
        """What is expected, as in "an integer of at least 1"."""
        ...

    def symbols(self) -> tuple[str, ...]:
        """The bare words that it takes."""
        ...

    def write(self, value: Any) -> str:
        """A value in its canonical form, as a person writes it in a spec."""
        ...


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
    def plain_default(self) -> PlainValue:
        """The default as a `Call` holds it."""
        return _as_plain(self.default)


@dataclass_transform(frozen_default=True, field_specifiers=(argument,))
def declared(cls: type[T]) -> type[T]:
    """Make a frozen class of arguments."""
    # Declaration has one repr, equality and hash for all: generating them for each class slows every start.
    return attrs.frozen(repr=False, eq=False)(cls)


class Declaration:
    """What every declared thing has: a name in the language, and arguments.

    Two are equal exactly where the fingerprint can't tell them apart: it tells 1 from 1.0 and from true, but not two
    ways to write the same.
    """

    name: ClassVar[str]
    is_positional: ClassVar[bool] = False  # whether a person writes required arguments without their names

    def arguments(self) -> dict[str, Any]:
        """All arguments by name, in canonical form."""
        canonical = self.canonical()
        values = {}
        for info in arguments_of(type(self)):
            value = getattr(canonical, info.name)
            values[info.name] = info.default if value == info.default else value  # 1 where the default is 1.0
        return values

    def call(self) -> Call:
        """Its serialised form."""
        arguments: list[tuple[str, PlainValue]] = []
        defaults: list[str] = []
        for info, value in zip(arguments_of(type(self)), self.arguments().values(), strict=True):
            is_default = value is info.default
            arguments.append((info.name, info.plain_default if is_default else _as_plain(value)))
            if is_default:
                defaults.append(info.name)
        return Call(self.name, tuple(arguments), frozenset(defaults))

    def canonical(self) -> Self:
        """The same thing, said in the one way that stands for all ways to say it."""
        return self

    def changed(self, **arguments: Value) -> Self:
        """The same thing with other values of some arguments."""
        return cast("Self", attrs.evolve(cast("Any", self), **arguments))

    def check(self) -> None:
        """Do the arguments go with each other? Raises MisfitError."""

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return repr(self) == repr(other) if type(self) is type(other) else NotImplemented

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        """The name, and the arguments that don't have their default, with all digits."""
        shown = [f"{name}={value!r}" for name, value, _ in self._given()]
        return f"{self.name}({', '.join(shown)})"

    def brief(self) -> str:
        """The call as a person would write it: without the arguments that have their default."""
        shown = [
            ("" if info.is_required and self.is_positional else f"{name}=") + info.kind.write(value)
            for name, value, info in self._given()
        ]
        return f"{self.name}({', '.join(shown)})" if shown else self.name

    def _given(self) -> list[tuple[str, Any, ArgumentInfo]]:
        """The arguments that don't have their default."""
        pairs = zip(arguments_of(type(self)), self.arguments().values(), strict=True)
        return [(info.name, value, info) for info, value in pairs if value is not info.default]


def _as_plain(value: Any) -> PlainValue:
    return value.call() if isinstance(value, Declaration) else cast("PlainValue", value)


def arguments_of(declaration: type[Declaration]) -> tuple[ArgumentInfo, ...]:
    """The arguments that a declared class takes, in positional order."""
    return _arguments_of(cast("Hashable", declaration))


@cache
def _arguments_of(declaration: Any) -> tuple[ArgumentInfo, ...]:
    return tuple(
        ArgumentInfo(a.name, a.metadata[_KIND], a.metadata[_DOC], a.default) for a in attrs.fields(declaration)
    )
