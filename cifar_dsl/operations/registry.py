"""Registries: declarations by their name in the language."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, cast

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Declaration, Symbol, Value, arguments_of
from cifar_dsl.operations.argument_types import UnfitError, Written


class MisfitError(Exception):
    """Arguments that contradict each other or don't fit the input.

    `argument` names the argument at fault, or is None; `label` is the text under its place in the message.
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


D = TypeVar("D", bound=Declaration)
C = TypeVar("C", bound=type[Declaration])


class Registry(Generic[D]):
    """Declarations of one sort, by name. `noun` is the word for one of them in messages."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._declared: dict[str, type[D]] = {}
        self._groups: dict[str, str] = {}

    def register(self, name: str, group: str = "") -> Callable[[C], C]:
        """Class decorator: register a declaration under `name`. Raises ValueError if the name is in use.

        `group` is the title under which a list of all shows it.
        """

        def enter(declared: C) -> C:
            if name in self._declared:
                raise ValueError(f"{self.noun} {name!r} is declared twice")
            declared.name = name
            self._declared[name] = cast("type[D]", declared)
            self._groups[name] = group
            return declared

        return enter

    def group(self, name: str) -> str:
        """The title of the group of a declaration."""
        return self._groups[name]

    def __getitem__(self, name: str) -> type[D]:
        return self._declared[name]

    def __contains__(self, name: object) -> bool:
        return name in self._declared

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)


@frozen
class CallOf(Written):
    """A declaration from a registry, or from some `names` of it, with its arguments: `normal(std=0.02)`."""

    registry: Registry[Any]
    names: tuple[str, ...] | None = None

    def accept(self, value: Value) -> Declaration:
        if isinstance(value, Declaration) and self._has(value):
            return value
        if isinstance(value, Symbol) and value in self.symbols():
            declaration = self.registry[value]
            if not any(info.is_required for info in arguments_of(declaration)):
                return cast("Declaration", declaration())
        raise UnfitError(self.describe())

    def _has(self, value: Declaration) -> bool:
        return value.name in self.symbols() and type(value) is self.registry[value.name]

    def describe(self) -> str:
        return f"one of {', '.join(self.symbols())}"

    def symbols(self) -> tuple[str, ...]:
        return self.names or tuple(self.registry)
