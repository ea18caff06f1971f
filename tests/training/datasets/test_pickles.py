"""Pickles of the Python version are read as data: the same values as `pickle`, and nothing is imported or called."""

import copyreg
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from helpers.archives import python2_batch

from cifar_dsl.training.datasets import pickles
from cifar_dsl.training.datasets.pickles import Made, read_pickle

VALUES = [
    None,
    True,
    [],
    {},
    (),
    (1,),
    (1, 2),
    (1, -2, 3),
    (1, 2, 3, 70_000),
    [1, [2, 3], "text"],
    {"a": 1, "b": [2], "c": (1, 2)},
    {"one": 1},
    [7],
    list(range(5000)),
    2**40,
    -1,
    "x" * 300,
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_plain_values_are_those_of_pickle(value):
    assert read_pickle(pickle.dumps(value, protocol=2)) == value


def test_shared_values_are_shared():
    one: list[int] = []
    again = read_pickle(pickle.dumps([one, one], protocol=2))
    assert isinstance(again, list)
    assert again[0] is again[1]


def test_the_text_of_python_2_is_bytes():
    assert read_pickle(b"\x80\x02U\x03a\xffb.") == b"a\xffb"


def test_an_array_is_its_state():
    rows = np.arange(6, dtype=np.uint8).reshape(2, 3)
    array = read_pickle(python2_batch(rows, [0, 1]))[b"data"]
    assert array.state[1] == (2, 3)
    assert array.state[4] == rows.tobytes()


class Hostile:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("planted",)


def test_nothing_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_pickle(pickle.dumps(Hostile(), protocol=2)) == Made("posix mkdir", ("planted",))
    assert not Path("planted").exists()
    pickle.loads(pickle.dumps(Hostile(), protocol=2))
    assert Path("planted").exists()  # the pickle would have done it


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"garbage",
        b"\x80\x02]",
        b"\x80\x02t.",
        b"\x80\x02h\x07.",
        b"\x80\x02K\x01K\x02a.",
        b"\x80\x02(K\x01u.",
        b"\x80\x02}]]s.",
        b"\x80\x02K\x01R.",
        b"\x80\x02T\xff\xff\xff\x7fabc.",
        b"cos\nsystem\n(S'true'\ntR.",
        b"\x80\x02cos\nsystem\nU\x04true\x85\x81.",
        b"\x80\x02P7\n.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
    ],
)
def test_anything_else_is_an_error(content):
    with pytest.raises(ValueError, match=r".+"):
        read_pickle(content)


def test_instructions_are_bounded(monkeypatch):
    monkeypatch.setattr(pickles, "_INSTRUCTIONS", 6)
    assert read_pickle(b"\x80\x02](NNe.") == [None, None]
    with pytest.raises(ValueError, match="more than 6 instructions"):
        read_pickle(b"\x80\x02](NNNe.")


DEEP = b"\x85" * 100
SHARED = b"".join(b"q" + bytes((i,)) + b"h" + bytes((i,)) + b"\x86" for i in range(60))  # 2^60 items to hash


@pytest.mark.parametrize("key", [b"K\x01", b")", b")" + DEEP, b")" + SHARED, b"cos\nsystem\n", b"]"])
def test_only_texts_are_keys(key):
    """Hashing deep tuples overflows the C stack, hashing shared ones takes forever, and numbers can collide."""
    for update in (b"}" + key + b"Ns", b"}(" + key + b"Nu"):
        with pytest.raises(ValueError, match="key that is not a text"):
            read_pickle(b"\x80\x02" + update + b".")


def test_calls_copy_no_text():
    text = b"T" + (1000).to_bytes(4, "little") + bytes(1000)
    with pytest.raises(ValueError, match="arguments are not a tuple"):
        read_pickle(b"\x80\x02cos\nsystem\n" + text + b"R.")


class Walked(list):
    """A stack that fails when it is walked from its first item."""

    def __iter__(self):
        pytest.fail("the whole stack was searched for a mark")


def test_a_mark_is_searched_from_the_top():
    stack = Walked(["deep", pickles._Mark(), 1, 2])
    assert pickles._popped(stack) == [1, 2]
    assert stack[:] == ["deep"]


def test_random_damage_is_a_value_error_or_another_value():
    whole = python2_batch(np.zeros((2, 3), np.uint8), [0, 1])
    random = np.random.default_rng(0)
    for place in random.integers(0, len(whole), 1000):
        damaged = bytearray(whole)
        damaged[place] = random.integers(256)
        try:
            read_pickle(bytes(damaged))
        except ValueError:
            continue


def test_the_module_imports_no_pickle():
    assert not hasattr(pickles, "pickle")
    assert copyreg.dispatch_table is not None
