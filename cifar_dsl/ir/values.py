"""Values of the language, and calls as plain data."""

from typing import TYPE_CHECKING, Union

from cifar_dsl.foundation.records import field, frozen

if TYPE_CHECKING:
    from cifar_dsl.ir.declaration import Declaration


class Symbol(str):
    """A bare word as a value: `same`, `none`."""

    __slots__ = ()


class Size(tuple[int, ...]):
    """A literal such as `3x3` or `3x32x32`."""

    __slots__ = ()

    def __str__(self) -> str:
        return "x".join(map(str, self))


Value = Union[int, float, bool, str, tuple["Value", ...], "Declaration"]
PlainValue = Union[int, float, bool, str, tuple["PlainValue", ...], "Call"]


@frozen
class Call:
    """The serialised form of a declaration: its name and all arguments in order, defaults included.

    `defaults` names the arguments that equal their default. The fingerprint leaves them out, so that adding an
    argument to the language changes no fingerprint.
    """

    name: str
    arguments: tuple[tuple[str, PlainValue], ...] = ()
    defaults: frozenset[str] = field(default=frozenset(), eq=False, repr=False)

    def keywords(self) -> dict[str, PlainValue]:
        """The arguments by name."""
        return dict(self.arguments)

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={value}" for name, value in self.arguments)
        return f"{self.name}({inside})" if inside else self.name
