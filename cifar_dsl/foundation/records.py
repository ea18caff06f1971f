"""Frozen data classes that are fast to define.

attrs compiles `__eq__`, `__hash__` and `__repr__` for every class, which takes a tenth of the time of
`cifar-dsl check`, though most are never called. Here all classes share one of each.
"""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attrs import frozen  # type checkers know the decorator by this name
else:
    import attrs

    def frozen(cls=None, /, *, eq=True, repr=True, **options):  # noqa: A002
        """Like `attrs.frozen`. A class keeps the methods that it defines itself."""
        if cls is None:
            return lambda cls: frozen(cls, eq=eq, repr=repr, **options)
        if eq and "__eq__" not in vars(cls):
            cls.__eq__ = _eq
            if vars(cls).get("__hash__") is None:
                cls.__hash__ = _hash
        if repr and "__repr__" not in vars(cls):
            cls.__repr__ = _repr
        return attrs.frozen(eq=False, repr=False, **options)(cls)


__all__ = ["frozen"]


def _eq(self: Any, other: object) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    cls: Any = type(self)
    values = _values(cls)
    return values(self) == values(other)


def _hash(self: Any) -> int:
    cls: Any = type(self)
    return hash(_values(cls)(self))


def _repr(self: Any) -> str:
    shown = (f"{a.name}={getattr(self, a.name)!r}" for a in self.__attrs_attrs__ if a.repr)
    return f"{self.__class__.__qualname__.rpartition('>.')[2]}({', '.join(shown)})"


@cache
def _values(cls: Any) -> Callable[[object], object]:
    """A getter of the values of an object of `cls` that count in a comparison."""
    names = [a.name for a in cls.__attrs_attrs__ if a.eq]
    return attrgetter(*names) if names else lambda _: ()
