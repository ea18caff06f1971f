"""How anything with a name in the language is declared: its arguments, their kinds, and where to find it.

A layer, an optimizer, a schedule or an augmentation is one frozen class in one place. Argument checking,
defaults, documentation, and the generators of the tests all follow from its fields.
"""

from collections.abc import Callable, Hashable, Iterator
from functools import cache, cached_property
from typing import Any, ClassVar, Generic, Self, TypeVar, cast, dataclass_transform

import attrs
from attrs import field, frozen

from cifar_dsl.ir import Call, Symbol, Value
from cifar_dsl.operations.argument_types import Kind, ListOf, OneOf, Pair, Pattern, Text, UnfitError

T = TypeVar("T")

_KIND = "kind"
_DOC = "doc"


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
