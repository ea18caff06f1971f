"""A class of `records.frozen` behaves as one of `attrs.frozen`."""

import pickle

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


@pytest.mark.parametrize("options", [{}, {"slots": False}, {"eq": False}], ids=["plain", "dict", "identity"])
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
    assert not hasattr(one, "__dict__")


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
