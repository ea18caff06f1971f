"""Frozen classes of data that are cheap to define.

attrs generates and compiles methods for each class, a third of the work of `cifar-dsl check`. Here, all classes share
`__eq__`, `__hash__` and `__repr__`, and attrs completes a class on its first use: most layers, optimizers ... are never
used in one process.
"""

import threading
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from attrs import frozen  # type checkers know the decorator by this name
else:

    def frozen(cls=None, /, *, eq=True, repr=True):  # noqa: A002
        """Make a class as `attrs.frozen(slots=False)` does. A class keeps the methods that it defines itself."""
        if cls is None:
            return lambda cls: frozen(cls, eq=eq, repr=repr)
        if eq and "__eq__" not in vars(cls):
            cls.__eq__ = _eq
            if vars(cls).get("__hash__") is None:
                cls.__hash__ = _hash
        if repr and "__repr__" not in vars(cls):
            cls.__repr__ = _repr

        def init(self, /, *args, **kwargs):
            _complete(cls)
            cls.__init__(self, *args, **kwargs)

        cls.__init__ = init
        cls.__attrs_attrs__ = _FirstUse(cls, "__attrs_attrs__")
        cls.__match_args__ = _FirstUse(cls, "__match_args__")
        return cls


__all__ = ["frozen"]

_LOCK = threading.RLock()  # several threads may be the first to use a class


def _complete(cls: Any) -> None:
    with _LOCK:
        if isinstance(vars(cls)["__match_args__"], _FirstUse):
            attrs.frozen(init=True, eq=False, repr=False, slots=False)(cls)
            cls.__match_args__ = tuple(a.name for a in cls.__attrs_attrs__ if a.init and not a.kw_only)  # type: ignore[misc]


class _FirstUse:
    """Stands in for a class attribute that attrs sets, and completes the class when it is read."""

    def __init__(self, cls: Any, name: str) -> None:
        self._cls = cls
        self._name = name

    def __get__(self, instance: object, owner: Any) -> Any:
        _complete(self._cls)
        return getattr(self._cls, self._name)


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
