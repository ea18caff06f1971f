"""Declarations: one frozen class for each name of the language, with a field for each argument.

Every layer, join, optimizer, schedule and augmentation is a declaration. Argument checks, defaults, documentation and
test generators are derived from its fields. Graphs and recipes hold instances.
"""

from collections.abc import Hashable
from functools import cache, cached_property
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast, dataclass_transform

from cifar_dsl.foundation.records import REQUIRED, evolve, field, fields_of, frozen
from cifar_dsl.ir.pattern import Pattern
from cifar_dsl.ir.values import Call, PlainValue, Value

T = TypeVar("T")

_KIND = "kind"
_DOC = "doc"


class Kind(Protocol):
    """The type of an argument; the types are in `operations/argument_types.py`."""

    def accept(self, value: Value) -> Any:
        """The value in canonical form. Raises UnfitError if it isn't of this type."""
        ...

    def describe(self) -> str:
        """The expected values, such as "an integer of at least 1"."""
        ...

    def symbols(self) -> tuple[str, ...]:
        """The bare words that are accepted."""
        ...

    def write(self, value: Any) -> str:
        """The spec text of a value in canonical form."""
        ...


DECLARED_KINDS: list[Kind] = []  # of all arguments


def argument(kind: Kind, doc: str, *, default: Any = REQUIRED) -> Any:
    """A field of a declaration that is an argument in the language. The order of fields is the positional order."""
    DECLARED_KINDS.append(kind)
    return field(default=default, metadata={_KIND: kind, _DOC: doc})


@frozen
class ArgumentInfo:
    """One argument of a declaration."""

    name: str
    kind: Kind
    doc: str
    default: Any

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is REQUIRED

    @cached_property
    def plain_default(self) -> PlainValue:
        """The default in serialised form."""
        return _as_plain(self.default)


@dataclass_transform(frozen_default=True, field_specifiers=(argument,))
def declared(cls: type[T]) -> type[T]:
    """Class decorator: make a declaration frozen, with `argument` fields as the parameters of its constructor."""
    return frozen(repr=False, eq=False)(cls)  # Declaration has these methods


class Declaration:
    """Base of everything that has a name and arguments in the language.

    Two declarations are equal if and only if their fingerprints are: 1, 1.0 and true differ, while two spellings of
    the same value are equal.
    """

    name: ClassVar[str]
    is_positional: ClassVar[bool] = False  # whether required arguments are usually written without their names

    def arguments(self) -> dict[str, Any]:
        """All arguments by name, in canonical form."""
        canonical = self.canonical()
        values = {}
        for info in arguments_of(type(self)):
            value = getattr(canonical, info.name)
            values[info.name] = info.default if value == info.default else value  # 1 where the default is 1.0
        return values

    def call(self) -> Call:
        """The serialised form."""
        arguments: list[tuple[str, PlainValue]] = []
        defaults: list[str] = []
        for info, value in zip(arguments_of(type(self)), self.arguments().values(), strict=True):
            is_default = value is info.default
            arguments.append((info.name, info.plain_default if is_default else _as_plain(value)))
            if is_default:
                defaults.append(info.name)
        return Call(self.name, tuple(arguments), frozenset(defaults))

    def canonical(self) -> Self:
        """An equivalent instance in canonical form: the same for every spelling of the same meaning."""
        return self

    def changed(self, **arguments: Value) -> Self:
        """A copy with other values for some arguments."""
        return cast("Self", evolve(cast("Any", self), **arguments))

    def check(self) -> None:
        """Raise MisfitError if the arguments contradict each other."""

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return repr(self) == repr(other) if type(self) is type(other) else NotImplemented

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        """The name and the arguments that differ from their default, with all digits."""
        return self._identity

    @cached_property
    def _identity(self) -> str:
        shown = [f"{name}={value!r}" for name, value, _ in self._non_defaults()]
        return f"{self.name}({', '.join(shown)})"

    def brief(self) -> str:
        """The spec text of the call, without arguments that equal their default."""
        return self._brief

    @cached_property
    def _brief(self) -> str:
        shown = [
            ("" if info.is_required and self.is_positional else f"{name}=") + info.kind.write(value)
            for name, value, info in self._non_defaults()
        ]
        return f"{self.name}({', '.join(shown)})" if shown else self.name

    def _non_defaults(self) -> list[tuple[str, Any, ArgumentInfo]]:
        """The arguments that differ from their default."""
        pairs = zip(arguments_of(type(self)), self.arguments().values(), strict=True)
        return [(info.name, value, info) for info, value in pairs if value is not info.default]


def _as_plain(value: Any) -> PlainValue:
    match value:
        case Declaration():
            return value.call()
        case Pattern():
            return repr(value)
        case _:
            return cast("PlainValue", value)


def arguments_of(declaration: type[Declaration]) -> tuple[ArgumentInfo, ...]:
    """The arguments of a declaration, in positional order."""
    return _arguments_of(cast("Hashable", declaration))


@cache
def _arguments_of(declaration: Any) -> tuple[ArgumentInfo, ...]:
    return tuple(ArgumentInfo(a.name, a.metadata[_KIND], a.metadata[_DOC], a.default) for a in fields_of(declaration))
