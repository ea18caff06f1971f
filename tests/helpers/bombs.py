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
    "recursion that doubles": _text(
        f"{_HEAD}block t(n) {{ if n > 0 {{ t(n - 1) -> t(n - 1) }} }}\nmodel {{ t(40) }}\n", "E0211"
    ),
    "recursion without end": _text(f"{_HEAD}block t(n) {{ if n > 0 {{ t(n + 1) }} }}\nmodel {{ t(1) }}\n", "E0211"),
    "lists of tensors that double": _stages("let x = relu\nlet xs = [x]\nrepeat 60 { xs = xs + xs }", "E0210"),
    "lists of lists of tensors": _stages("let x = relu\nlet xs = [x]\nrepeat 60 { xs = [xs, xs] }", "E0210"),
    "a learned tensor of 10^9 numbers": _stages("learned(1_000_000_000) -> relu"),
    "many learned tensors": _stages("repeat 100 { let w = learned(90_000_000) }"),
    "a row and a column that stretch": _stages("let a = learned((1, 20_000, 1))\nadd { a | learned((1, 1, 20_000)) }"),
    "stretching in a loop": _stages("repeat 9999 { mul { identity | learned((1, 1, 32)) } }\nrepeat 99 { relu }"),
    "filters for every place": _stages("locally_connected(90_000, 3)"),
    "windows of windows": _stages("repeat 20 { unfold(3, pad=1) }"),
    "slices by the million": _stages("repeat 1_000_000 { identity[:, ::1, :] }"),
    "a list repeated 10^12 times": _stages("let x = relu\nlet xs = 1000000000000 * [x]", "E0210"),
    "a long list of tensors in many joins": _stages("let x = relu\nlet xs = 9000 * [x]\nrepeat 9999 { add { xs } }"),
    "a long list of tensors out of many blocks": _text(
        f"{_HEAD}block t(n) {{ if n > 0 {{ t(n - 1)\nt(n - 1) }} else {{ let x = relu\n9000 * [x] }} }}\n"
        "model { t(12) }\n",
        "E0306",
    ),
    "10^9 branches": _stages("concat for i in 0..1000000000 { relu }"),
    "10^9 branches that are none": _stages("concat for i in 0..1000000000 { [] }"),
    "10^9 branches of a block": _text(
        f"{_HEAD}block t(f: block) {{ f }}\nmodel {{ t for i in 0..1000000000 {{ relu }} }}\n", "E0211"
    ),
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

_SPACED = "optimizer sgd" + ",   a =       1" * 60 + " =\n"
_END = "global_avgpool\ndense(10)\n}\n"
_TIMES_FOUR = "".join(f"param x{i + 1} = x{i} + x{i} + x{i} + x{i}\n" for i in range(5))
_LISTS = f"param x0 = [100000000, 100000000, 100000000, 100000000]\n{_TIMES_FOUR}param x = x5 + x5\n"


def _model(stages: str, before: str = "") -> str:
    return f"{_HEAD}{before}model {{\n{stages}\n{_END}"


def _each(count: int, text: str) -> str:
    """The text once for each number, which replaces its `#`."""
    return "".join(text.replace("#", str(i)) for i in range(count))


def costly(share: float = 1.0) -> dict[str, str]:
    """Texts whose work was once not charged, or grew with the square of their size; accepted or refused.

    `share` scales them: the whole ones are as large as a file can be.
    """

    def n(count: int) -> int:
        return max(2, int(share * count))

    long = "+1" * n(2_000)
    parameters = _each(n(3_000), "a#, ")[:-2]
    return {
        "a list in the text of every call": _model(
            "repeat 60000 { b(x) }", f"{_LISTS}block b(a: list) {{ if len(a) == 3 {{ relu }} }}\n"
        ),
        "a text in the text of every call": _model(
            "repeat 60000 { b(x, x, x) }", f'param x = "{"a" * 1000}"\nblock b(c, d, e) {{ if c != d {{ e }} }}\n'
        ),
        "sums of 8,192 numbers": _model("for i in 0..60000 { let k = sum(x) + i }", _LISTS),
        "comparisons of lists": _model("for i in 0..60000 { let k = x == x5 + x5 }", _LISTS),
        "slices of lists": _model("for i in 0..60000 { let k = x[1:] }", _LISTS),
        "lists of many lists": _model("relu", f"{_LISTS}param y = {'+'.join(['x'] * n(20_000))}\n"),
        "a long expression for rounds": _model(f"repeat 9999 {{ repeat (0 if 1 == 1 else 1{long}) {{ }} }}"),
        "a long expression for a tensor": _model(
            f"let t = relu\nrepeat 9999 {{ b(t if 1 == 1 else (t if 1{long} == 1 else t)) }}",
            "block b(x: tensor) { }\n",
        ),
        "conditions in conditions": _model(
            "relu", f"param p = {'(1 if ' * 30}1{long} == 2{' else 2) == 2' * 30}\n"
        ),
        "scopes with many inputs": _model(
            _each(n(300), "let t# = identity\n") + "repeat 200 { b(" + _each(n(300), "t#, ")[:-2] + ") }",
            "block b(" + _each(n(300), "y#: tensor, ")[:-2] + ") { " + "add { identity | " * 9
            + _each(n(300), "y# | ") + "identity" + " }" * 9 + " }\n",
        ),
        "named tensors": _model(_each(n(3_500), "let v# = relu\n")),
        "uses of a tied block": _model("let f = tied { conv(3, 1) }\nrepeat 10001 { f }"),
        "tied blocks of tied blocks": _model(
            "let t0 = tied { relu }\n" + "".join(f"let t{i + 1} = tied {{ t{i} -> t{i} }}\n" for i in range(20)) + "t20"
        ),
        "unused blocks": _model("relu", _each(n(2_500), "block a#() { relu }\n")),
        "unused params": _model("relu", _each(n(3_000), "param a# = #\n")),
        "used params": _model(
            f"conv({_each(n(1_500), 'a# + ')}1, 1)",
            "param b = 1\n" + _each(n(1_500), "param a# = 1 if b == 1 else 2\n"),
        ),
        "allowed warnings": _model("relu # allow: W0205\n" * n(3_000)),
        "comments of allowed warnings": _model("# allow: W0101\n" * n(4_000)),
        "unknown layers beside many blocks": _model("relu", _each(n(2_500), "block b#() { a# }\n")),
        "unknown names beside many params": _model("relu", _each(n(3_000), "param b# = a#\n")),
        "missing arguments": _model("b()\n" * n(7_000), f"block b({parameters}) {{ relu }}\n"),
        "many arguments": _model(
            f"repeat 9 {{ b({_each(n(3_000), '#, ')[:-2]}) }}", f"block b({parameters}) {{ relu }}\n"
        ),
        "many named arguments": _model(
            f"repeat 9 {{ b({_each(n(3_000), 'a#=1, ')[:-2]}) }}", f"block b({parameters}) {{ relu }}\n"
        ),
        "words of a type": _model(
            "repeat 9999 { b(none) }", f"block b(x: {_each(n(5_000), 'w# | ')[:-3]}) {{ relu }}\n"
        ),
        "named skips": _model(
            _each(n(1_500), "conv(3, 1)\nlet t# = identity\n") + f"add {{ {_each(n(1_500), 't# | ')[:-3]} }}"
        ),
        "activations before a concat": _model(
            f"repeat {n(4_000)} {{ relu }}\nlet t = relu\nconcat {{ {_each(n(4_000), 't | ')[:-3]} }}"
        ),
        "patterns of groups": _model(f"repeat {n(1_000)} {{ conv(3, 3, pad=1) }}")
        + "train {\ndata cifar10\nepochs 9\nbatch 3\noptimizer sgd(lr=1)\n"
        + _each(n(60), 'group g# {\nselect ["a*a*a*b"' + ', "*a*a*a#"' * 60 + "]\n}\n") + "}\n",
        "an error at the end": _model("conv(8, 3, pad=1)\nbn\n" * n(2_800) + "conv(8,, 3)\n"),
        "habits at the end": _model("conv(8, 3, pad=1)\nbn\n" * n(2_800) + "conv(8, 3);\n" * 20),
        "habits in every line": _model("conv(8, 3);\n" * n(5_000)),
        "spaces before a mistake": ("param param" + " " * 980 + "\n") * n(60),
        "arguments behind spaces": f"train {{\n{_SPACED * n(60)}}}\n" + _model("relu"),
        "a join of many branches and a comma": _model(f"add {{ a, {'a | ' * n(14_000)}a }}"),
        "joins that no bracket closes": _model("add [x " * 40 + "\n" + "(relu\n" * n(9_000)),
        "blocks with half a pair of braces": _model("relu", _each(n(1_600), "block b#() {\nblock c#() }\n")),
        "names like many params": _model(
            _each(n(500), "conv(a_param_with_a_long_name_#_of_its_own_mine, 1)\n"),
            _each(n(600), "param a_param_with_a_long_name_#_of_its_own_here = 1\n"),
        ),
        "names like many tensors": _model(
            _each(n(600), "let a_tensor_with_a_long_name_#_of_its_own_here = relu\n")
            + _each(n(600), "a_tensor_with_a_long_name_#_of_its_own_mine\n")
        ),
        "names like many arguments": _model(
            f"b({_each(n(600), 'an_argument_with_a_long_name_#_of_its_own_mine=1, ')[:-2]})",
            f"block b({_each(n(600), 'an_argument_with_a_long_name_#_of_its_own_here, ')[:-2]}) {{ relu }}\n",
        ),
        "names that many parts may begin": _model(
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\n" * 20,
            _each(n(900), f"param {'aaa_' * 12}# = 1\n"),
        ),
        "parameters of one name": _model("relu", f"block b({'a, ' * n(18_000)}a) {{ relu }}\n"),
        "slices of a constant": _model(
            "relu", f"block b() {{ if [{'1, ' * n(5_000)}1]{'[1:]' * n(9_000)} == [1] {{ }} }}\n"
        ),
        "rounds with an error": _model(f"repeat 9999 {{ repeat 9 {{ dense({'[' * 30}1{']' * 30}) }} }}"),
        "unknown settings": _model("relu") + "train {\ndata cifar10\n" + _each(n(5_000), "sett# 1\n") + "}\n",
    }  # fmt: skip
