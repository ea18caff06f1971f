"""Small inputs that expand to something huge, and files that never end."""

import os
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

_HEAD = "arch bomb\ninput 3x32x32\n"
_MODEL = "model { flatten -> dense(10) }\n"


@frozen
class Bomb:
    """An input to create at a path, the error code that refuses it, and an override."""

    put: Callable[[Path], object]
    code: str
    override: str = ""


def _text(text: str, code: str, override: str = "") -> Bomb:
    return Bomb(lambda path: path.write_text(text, encoding="utf-8"), code, override)


def _stages(stages: str, code: str = "E0211") -> Bomb:
    return _text(f"{_HEAD}model {{ {stages} }}\n", code)


def _param(value: str, code: str) -> Bomb:
    return _text(f"{_HEAD}param p = {value}\n{_MODEL}", code)


def _nested(kind: str, levels: int) -> str:
    return f"{kind} {{ " * levels + "}" * levels


_DEEP = "(" * 100_000
_DOUBLING = "".join(f"param p{i + 1} = p{i} + p{i}\n" for i in range(60))
_BLOCKS = "".join(f"block b{i}() {{ b{i + 1} -> b{i + 1} }}\n" for i in range(60))

# Each must be refused within 1 s and 200 MB, before anything is allocated.
BOMBS = {
    "file of 10 MB": Bomb(lambda path: path.write_bytes(b"#" * 10**7), "E0104"),
    "sparse file of 1 TB": Bomb(lambda path: (path.touch(), os.truncate(path, 10**12)), "E0104"),
    "FIFO": Bomb(os.mkfifo, "E0105"),
    "/dev/zero": Bomb(lambda path: path.symlink_to("/dev/zero"), "E0105"),
    "/dev/stdin": Bomb(lambda path: path.symlink_to("/dev/tty"), "E0105"),
    "nesting of 100,000": _text(f"{_HEAD}param p = {_DEEP}\n", "E0104"),
    "nesting of 100,000 in an override": _text(_HEAD + "param p = 1\n" + _MODEL, "E0104", f"p={_DEEP}"),
    "nesting of 60,000 brackets": _param("[" * 60_000, "E0104"),
    "nesting of 60,000 braces": _stages("add {" * 12_000, "E0104"),
    "60,000 signs": _param("-(" * 30_000, "E0104"),
    "repeat 10^9": _stages("repeat 1000000000 { relu }"),
    "repeat 10^9 of nothing": _stages("repeat 1000000000 { }"),
    "for to 10^12": _stages("for i in 0..999999999999 { }"),
    "repeats four deep": _stages(_nested("repeat 100000", 4)),
    "loops four deep": _stages(_nested("for i in 0..100000", 4)),
    "10^400 as an integer": _param("1" + "0" * 400, "E0104"),
    "an integer of 60,000 digits": _param("9" * 60_000, "E0104"),
    "10^400 as a product": _param(" * ".join(["1000000000000"] * 34), "E0210"),
    "10^999999 as a number": _param("1e999999", "E0104"),
    "lists of lists": _text(_HEAD + "param p0 = [0]\n" + _DOUBLING + _MODEL, "E0210"),
    "blocks that double": _text(f"{_HEAD}{_BLOCKS}block b60() {{ relu }}\nmodel {{ b0 }}\n", "E0211"),
    "branches that double": _text(
        _HEAD + "".join(f"block b{i}() {{ add {{ b{i + 1} | b{i + 1} }} }}\n" for i in range(60))
        + "block b60() { relu }\nmodel { b0 }\n",
        "E0211",
    ),
    "a mistake in every round": _text(
        f"{_HEAD}block b(c) {{ relu -> conv(c, 3) }}\nmodel {{ repeat 1000000000000 {{ b(32) }} }}\n", "E0307"
    ),
    "a wide layer": _stages("conv(1000000000, 1)"),
    "a large weight": _stages("flatten -> dense(100000000) -> dense(100000000)"),
    "a large input": _text("arch a\ninput 1000000x1000000x1000000\nmodel { relu }\n", "E0211"),
    "channels that double": _stages("repeat 60 { concat { identity | identity } }"),
}  # fmt: skip

# Files of the largest size that is read; the time is linear in the size, whatever the errors.
LARGEST = {
    "right": (f"{_HEAD}model {{\n" + "relu\n" * 9_990 + "}\n", {"W0205"}),
    "one mistake at the end": (f"{_HEAD}model {{\n" + "relu\n" * 12_000 + "relu relu\n}\n", {"E0101"}),
    "a mistake in every line": ("arch a\n" + "relu relu\n" * 6_000, {"E0101"}),
    "names that nobody knows": (f"{_HEAD}model {{\n" + "".join(f"a{i}\n" for i in range(8_000)) + "}\n", {"E0201"}),
    "letters that are none": ("arch a\n" + "$ " * 30_000, {"E0101"}),
    "one line of words": ("arch a\nmodel {" + " relu" * 12_000 + "}", {"E0101"}),
    "bars": ("arch a\nmodel { add {" + "|" * 60_000 + "} }", {"E0101"}),
    "commas": ("arch a\nparam p = [" + "," * 60_000 + "]", {"E0101"}),
    "texts without an end": ("arch a\n" + '"\n' * 30_000, {"E0101"}),
}
