"""A class of `records` behaves as one of attrs."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import ClassVar

import attrs
import pytest

from cifar_dsl.foundation import records
from cifar_dsl.foundation.records import evolve, field, fields_of, frozen


def twins(decorator="frozen", **options):
    """The same class made twice: by attrs, and by `records`."""

    def made(library):
        class Point:
            x: int
            y: tuple[int, ...] = ()
            note: str = library.field(default="", eq=False)
            secret: str = library.field(default="", repr=False)

        decorate = getattr(library, decorator)
        return decorate(**options)(Point) if options else decorate(Point)

    return made(attrs), made(records)


def bases(library):
    """Classes with every option that the package uses, and classes that extend them."""

    @library.define
    class Tally:
        _limit: int
        names: list[str] = library.field(factory=list)
        text: str = library.field(default=" a ", converter=str.strip)
        done: int = library.field(default=0, init=False)
        open: int = library.field(init=False)
        by_name: int = library.field(default=7, kw_only=True)
        sort: ClassVar[str] = "tally"

        def __attrs_post_init__(self):
            self.done += len(self.names)

    @library.define(eq=False)
    class Longer(Tally):
        text: str = "longer"
        more: int = 1

    @library.frozen
    class Derived:
        x: int
        twice: int = library.field(default=attrs.Factory(lambda self: 2 * self.x, takes_self=True))
        small: int = library.field(default=1, validator=attrs.validators.lt(10))

    return Tally, Longer, Derived


CALLS = [
    ((1,), {}),
    ((), {"limit": 1}),
    ((1, ["a", "b"]), {"by_name": 8}),
    ((1, ["a"], " b "), {}),
    ((1,), {"text": " c ", "names": ["a"]}),
    ((1, ["a"], "b", 4), {}),
    ((1, ["a"], "b", 4, 5), {}),
    ((), {}),
    ((1,), {"limit": 2}),
    ((1,), {"_limit": 2}),
    ((1,), {"by_nam": 2}),
    ((1,), {"x": 2}),
    ((), {"x": 3, "small": 4}),
    ((3,), {"small": 40}),
]


def outcome(call):
    try:
        one = call()
    except (TypeError, ValueError) as error:
        return type(error), str(error).partition("(")[0]
    return {name: getattr(one, name, "unset") for name in (a.name for a in attrs.fields(type(one)))}


@pytest.mark.parametrize("which", range(3), ids=["define", "extended", "frozen with a validator"])
@pytest.mark.parametrize(("args", "kwargs"), CALLS, ids=repr)
def test_a_call_does_what_one_of_attrs_does(which, args, kwargs):
    theirs, ours = bases(attrs)[which], bases(records)[which]
    assert outcome(lambda: ours(*args, **kwargs)) == outcome(lambda: theirs(*args, **kwargs))


@pytest.mark.parametrize("which", range(3), ids=["define", "extended", "frozen with a validator"])
def test_the_fields_are_those_of_attrs(which):
    theirs, ours = (bases(library)[which] for library in (attrs, records))
    assert [one.name for one in fields_of(ours)] == [one.name for one in attrs.fields(theirs)]
    assert [one.parameter for one in fields_of(ours)] == [one.alias for one in attrs.fields(theirs)]
    assert ours.__match_args__ == theirs.__match_args__
    assert [one.name for one in attrs.fields(ours)] == [one.name for one in attrs.fields(theirs)]


def test_an_object_can_be_copied_with_changes():
    one = bases(records)[0](1, ["a"], by_name=2)
    assert outcome(lambda: evolve(one, limit=5)) == outcome(lambda: attrs.evolve(one, limit=5))
    assert evolve(one, limit=5).by_name == 2


def test_objects_of_define_can_change_and_have_no_hash():
    for cls in twins("define"):
        one, other = cls(1), cls(2)
        one.x = 2
        assert one == other
        with pytest.raises(TypeError, match="unhashable"):
            hash(one)


def test_attrs_compiles_a_class_after_many_instances(monkeypatch):
    monkeypatch.setattr(records, "_MANY", 3)

    @frozen
    class Often:
        x: int
        y: int = 2

    assert [Often(i) for i in range(5)] == [Often(i, 2) for i in range(5)]
    assert isinstance(vars(Often)["__attrs_attrs__"], tuple)


@pytest.mark.parametrize("options", [{}, {"eq": False}], ids=["values", "identity"])
def test_equality_and_hash_are_those_of_attrs(options):
    for cls in twins(**options):
        one = cls(1, (2,))
        is_identity = "eq" in options
        assert one == one  # noqa: PLR0124
        assert (one == cls(1, (2,), note="other")) is not is_identity
        assert (hash(one) == hash(cls(1, (2,), note="other"))) is not is_identity
        assert one != cls(1, (3,))
        assert one != cls(1, (2,), secret="s")
        assert one != (1, (2,))
        assert len({one, cls(1, (2,)), cls(1, (3,))}) == (3 if is_identity else 2)


def test_another_class_with_the_same_values_is_not_equal():
    @frozen
    class A:
        x: int

    @frozen
    class B(A):
        pass

    assert A(1) != B(1)
    assert B(1) == B(1)


def test_the_text_is_that_of_attrs():
    theirs, ours = (repr(cls(1, (2,), "n", "s")) for cls in twins())
    assert ours == theirs == "Point(x=1, y=(2,), note='n')"


def test_methods_that_a_class_defines_stay():
    @frozen
    class Word:
        text: str

        def __eq__(self, other):
            return isinstance(other, Word) and self.text.lower() == other.text.lower()

        def __hash__(self):
            return hash(self.text.lower())

        def __repr__(self):
            return self.text

    assert Word("A") == Word("a")
    assert hash(Word("A")) == hash(Word("a"))
    assert repr(Word("A")) == "A"


def test_an_unhashable_value_makes_an_object_unhashable():
    for cls in twins():
        with pytest.raises(TypeError, match="unhashable"):
            hash(cls(1, [2]))


def test_it_is_an_attrs_class_that_can_not_change():
    _, cls = twins()
    one = cls(1)
    assert attrs.has(cls)
    assert attrs.evolve(one, x=2) == cls(2)
    assert attrs.asdict(one) == {"x": 1, "y": (), "note": "", "secret": ""}
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.x = 2


@frozen
class Kept:
    x: int
    y: str = "y"


def test_objects_can_be_pickled():
    assert pickle.loads(pickle.dumps(Kept(1))) == Kept(1)


def test_nothing_is_compiled_for_a_class():
    """What makes a start short."""
    _, one = twins()
    assert one(1) == one(1)
    assert (one(1), hash(one(1)), repr(one(1))) == (evolve(one(2), x=1), hash(one(1)), str(one(1)))
    assert one.__match_args__ == ("x", "y", "note", "secret")
    assert not isinstance(vars(one)["__attrs_attrs__"], tuple)
    for name in ("__eq__", "__hash__", "__repr__"):
        assert getattr(one, name) is getattr(Kept, name)


def wrong(cls):
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        cls(z=1)


USES = {
    "attrs.has": attrs.has,
    "attrs.fields": attrs.fields,
    "attrs.fields of a subclass": lambda cls: attrs.fields(type("Sub", (cls,), {})),
    "attrs.fields of a frozen subclass": lambda cls: attrs.fields(frozen(type("Sub", (cls,), {}))),
    "attrs.asdict": lambda cls: attrs.asdict(cls()),
    "a wrong call": wrong,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_attrs_completes_a_class_that_it_is_asked_for(use):
    class Late:
        x: int = field(default=1)
        y: int = field(default=2, kw_only=True)

    cls = frozen(Late)
    assert cls is Late
    assert not isinstance(vars(cls)["__attrs_attrs__"], tuple)
    use(cls)
    assert isinstance(vars(cls)["__attrs_attrs__"], tuple)
    init = cls.__init__
    use(cls)
    assert cls.__init__ is init
    assert [one.name for one in attrs.fields(cls)] == ["x", "y"]
    assert cls.__match_args__ == ("x",)
    assert cls() == cls(1, y=2)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        cls().x = 2


def test_a_class_can_be_used_first_in_several_threads_at_once():
    for _ in range(30):
        cls = frozen(type("Late", (), {"__annotations__": {"x": int}, "x": field()}))
        barrier = Barrier(4)

        def first(i, cls=cls, barrier=barrier):
            barrier.wait()
            return cls(i).x

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(first, range(4))) == [0, 1, 2, 3]


def test_a_wrong_class_raises_the_error_of_attrs_at_every_use():
    @frozen
    class Wrong:
        x: int = 1
        y: int

    for _ in range(2):
        with pytest.raises(ValueError, match="No mandatory attributes allowed"):
            Wrong(1, 2)
