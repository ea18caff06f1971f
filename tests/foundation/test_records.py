"""A class of `records.frozen` behaves as one of `attrs.frozen`."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import attrs
import pytest
from attrs import field

from cifar_dsl.foundation.records import frozen


def twins(**options):
    """The same class made twice: by attrs, and by `records`."""

    def made(decorate):
        class Point:
            x: int
            y: tuple[int, ...] = ()
            note: str = field(default="", eq=False)
            secret: str = field(default="", repr=False)

        return decorate(**options)(Point) if options else decorate(Point)

    return made(attrs.frozen), made(frozen)


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


def test_classes_share_their_methods():
    """What makes a start short: nothing is compiled for each class but `__init__`."""
    _, one = twins()
    for name in ("__eq__", "__hash__", "__repr__"):
        assert getattr(one, name) is getattr(Kept, name)


USES = {
    "an instance": lambda cls: cls(1),
    "an instance of a subclass": lambda cls: type("Sub", (cls,), {})(x=1),
    "an instance of a frozen subclass": lambda cls: frozen(type("Sub", (cls,), {}))(1),
    "attrs.has": attrs.has,
    "attrs.fields": attrs.fields,
    "__match_args__": lambda cls: cls.__match_args__,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_attrs_completes_a_class_on_first_use(use):
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
