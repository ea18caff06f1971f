"""Classes of data that are cheap to define: `frozen`, `define`, `field` and `evolve` do what those of attrs do.

attrs generates and compiles methods for each class, which took a third of `cifar-dsl check`, and importing it takes a
tenth. Here, all classes share `__eq__`, `__hash__` and `__repr__`, and have an `__init__` that goes through the fields.
attrs completes a class when something asks for its attributes (`attrs.fields`, `attrs.asdict`, cattrs), when a field
has an option that this module doesn't know, such as a validator, when the class has had many instances, and to report
a call that doesn't fit.
"""

import threading
from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from attrs import define, evolve, field, frozen  # type checkers know them by these names
else:

    def frozen(cls=None, /, *, eq=True, repr=True):  # noqa: A002
        """Make a class as `attrs.frozen(slots=False)` does. A class keeps the methods that it defines itself."""
        if cls is None:
            return lambda cls: frozen(cls, eq=eq, repr=repr)
        cls.__setattr__ = _refuse_change
        cls.__delattr__ = _refuse_change
        return _shared(cls, eq, repr, _hash)

    def define(cls=None, /, *, eq=True, repr=True):  # noqa: A002
        """Make a class as `attrs.define(slots=False)` does."""
        return _shared(cls, eq, repr, None) if cls else lambda cls: _shared(cls, eq, repr, None)

    def field(**options):
        """Declare a field, with the options of `attrs.field`."""
        return Field(options)

    def evolve(one, /, **changes):
        """A copy of `one` with other values for some fields."""
        cls = type(one)
        for name, parameter in _given(cls):
            if parameter not in changes:
                changes[parameter] = getattr(one, name)
        return cls(**changes)


__all__ = ["REQUIRED", "Field", "define", "evolve", "field", "fields_of", "frozen", "is_record"]

_MANY = 2_000  # instances of a class for which it pays to compile its `__init__`
_LOCK = threading.RLock()  # several threads may be the first to use a class


class _Required:
    """The default of a field that has none."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


class Field:
    """A field of a class: its name, its annotation, and its options."""

    name: str = ""
    type: Any = None

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.default: Any = options.get("default", REQUIRED)
        self.factory: Callable[[], object] | None = options.get("factory")
        self.metadata: Mapping[Any, Any] = options.get("metadata", {})
        self.init: bool = options.get("init", True)
        self.options = options

    @property
    def parameter(self) -> str:
        """Its name in a call of the class."""
        return self.name.lstrip("_")

    @property
    def is_positional(self) -> bool:
        """Whether a call may give its value without its name."""
        return self.init and not self.options.get("kw_only")

    @property
    def is_required(self) -> bool:
        """Whether a call must give it a value."""
        return self.init and self.default is REQUIRED and self.factory is None


_KNOWN = {"default", "factory", "metadata", "init", "converter", "kw_only", "eq", "repr"}


def fields_of(cls: Any) -> tuple[Field, ...]:
    """The fields of a class of this module, without attrs: in order, those of its bases first."""
    for one in cls.__mro__:
        if "__record_fields__" in vars(one):
            found: tuple[Field, ...] | None = vars(one)["__record_fields__"]
            return _collected(one) if found is None else found
    raise TypeError(f"{cls.__qualname__} has no fields")


@cache
def _given(cls: Any) -> tuple[tuple[str, str], ...]:
    """The fields of a class that a call can give, each with the name that it has there."""
    return tuple((one.name, one.parameter) for one in fields_of(cls) if one.init)


def is_record(cls: Any) -> bool:
    """Whether a class, or a base of it, is one of this module."""
    return any("__record_fields__" in vars(one) for one in cls.__mro__)


def _collected(cls: Any) -> tuple[Field, ...]:
    with _LOCK:
        if vars(cls)["__record_fields__"] is None:
            found: dict[str, Field] = {}
            for base in cls.__mro__[:0:-1]:
                if "__record_fields__" in vars(base):
                    for one in fields_of(base):
                        found.pop(one.name, None)
                        found[one.name] = one
            for name, annotation in cls.__annotations__.items():
                if getattr(annotation, "__origin__", annotation) is not ClassVar:
                    found.pop(name, None)
                    found[name] = _declared(cls, name, annotation)
            cls.__record_fields__ = tuple(found.values())
    result: tuple[Field, ...] = vars(cls)["__record_fields__"]
    return result


def _declared(cls: Any, name: str, annotation: object) -> Field:
    """The field of this name, whose declaration is taken from the class: instances have its value."""
    value = vars(cls).get(name, REQUIRED)
    plain = {} if value is REQUIRED else {"default": value}
    one = Field(value.options if isinstance(value, Field) else plain)  # a declaration may be that of several classes
    one.name, one.type = name, annotation
    if value is not REQUIRED:
        delattr(cls, name)
    return one


def _shared(cls: Any, eq: bool, shown: bool, hashed: Any) -> Any:
    """The class with the shared methods, which attrs completes when it is asked for its attributes."""
    own = vars(cls)
    if eq and "__eq__" not in own:
        cls.__eq__ = _eq
        if own.get("__hash__") is None:
            cls.__hash__ = hashed
    if shown and "__repr__" not in own:
        cls.__repr__ = _repr
    cls.__record_fields__ = None

    def init(self: Any, /, *args: Any, **kwargs: Any) -> None:
        with _LOCK:
            if vars(cls)["__init__"] is init:
                cls.__init__ = _initializer(cls)
        cls.__init__(self, *args, **kwargs)

    cls.__init__ = init
    cls.__match_args__ = _FirstUse(cls, "__match_args__", _name_arguments)  # type: ignore[misc]
    cls.__attrs_attrs__ = _FirstUse(cls, "__attrs_attrs__", _complete)
    return cls


def _initializer(cls: Any) -> Any:
    """The `__init__` of a class: that of attrs, if a field has an option that only attrs knows."""
    fields = fields_of(cls)
    if any(map(_needs_attrs, fields)) or not _defaults_come_last(fields):
        _complete(cls)
        return cls.__init__
    positional = [one for one in fields if one.is_positional]
    others = [one for one in fields if not one.is_positional]
    names, most = [one.name for one in positional], len(positional)
    steps = [_step(one) for one in (*positional, *others)]
    steps_after = [steps[given:] for given in range(most + 1)]  # by the number of values given in order
    converters = [(one.name, one.options["converter"]) for one in fields if "converter" in one.options]
    is_finished = hasattr(cls, "__attrs_post_init__")
    is_simple = not (others or converters or is_finished)
    left = _MANY

    def init(self: Any, /, *args: Any, **kwargs: Any) -> None:
        nonlocal left
        left -= 1
        given = len(args)
        if given > most or not left:
            _complete(cls)
            cls.__init__(self, *args, **kwargs)
            return
        values = self.__dict__
        for name, value in zip(names, args):  # noqa: B905  too slow, and the numbers differ
            values[name] = value
        if given == most and is_simple and not kwargs:
            return
        used, misses = 0, False
        for name, parameter, default, factory in steps_after[given]:
            if parameter in kwargs:
                values[name] = kwargs[parameter]
                used += 1
            elif factory is not None:
                values[name] = factory()
            elif default is not REQUIRED:
                values[name] = default
            elif parameter is not None:
                misses = True
        if misses or used != len(kwargs):
            _complete(cls)
            cls.__init__(self, *args, **kwargs)  # raises TypeError
            return
        for name, convert in converters:
            values[name] = convert(values[name])
        if is_finished:
            self.__attrs_post_init__()

    return init


def _step(one: Field) -> tuple[str, str | None, Any, Callable[[], object] | None]:
    """What a call that doesn't give a value in order needs to know."""
    return one.name, one.parameter if one.init else None, one.default, one.factory


def _needs_attrs(one: Field) -> bool:
    return bool(one.options.keys() - _KNOWN) or hasattr(one.default, "takes_self")  # an attrs.Factory


def _defaults_come_last(fields: tuple[Field, ...]) -> bool:
    required = [one.is_required for one in fields if one.is_positional]
    return required == sorted(required, reverse=True)


class _FirstUse:
    """Stands in for a class attribute, and sets it when it is read."""

    def __init__(self, cls: Any, name: str, use: Callable[[Any], None]) -> None:
        self._cls = cls
        self._name = name
        self._use = use

    def __get__(self, instance: object, owner: Any) -> Any:
        with _LOCK:
            if vars(self._cls)[self._name] is self:
                self._use(self._cls)
        return getattr(self._cls, self._name)


def _name_arguments(cls: Any) -> None:
    cls.__match_args__ = tuple(one.name for one in fields_of(cls) if one.is_positional)  # type: ignore[misc]


def _complete(cls: Any) -> None:
    """Let attrs make `__init__` and all that it keeps about a class."""
    import attrs

    with _LOCK:
        if not isinstance(vars(cls)["__attrs_attrs__"], _FirstUse):
            return
        for one in fields_of(cls):
            if one.name in cls.__annotations__ and one.options:
                setattr(cls, one.name, attrs.field(**one.options))
        is_frozen = cls.__setattr__ is _refuse_change
        if is_frozen and "__setattr__" in vars(cls):
            del cls.__setattr__, cls.__delattr__
        decorate: Any = attrs.frozen if is_frozen else attrs.define
        decorate(init=True, eq=False, repr=False, slots=False)(cls)


def _refuse_change(*_: object) -> None:
    from attrs.exceptions import FrozenInstanceError

    raise FrozenInstanceError


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
    fields = (one for one in fields_of(type(self)) if one.options.get("repr", True))
    shown = (f"{one.name}={getattr(self, one.name)!r}" for one in fields)
    return f"{self.__class__.__qualname__.rpartition('>.')[2]}({', '.join(shown)})"


@cache
def _values(cls: Any) -> Callable[[object], object]:
    """A getter of the values of an object of `cls` that count in a comparison."""
    names = [one.name for one in fields_of(cls) if one.options.get("eq", True)]
    return attrgetter(*names) if names else lambda _: ()
