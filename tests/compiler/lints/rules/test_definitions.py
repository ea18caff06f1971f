"""W0201: unused definitions."""

import pytest
from helpers.findings import codes_and_places, fixed_text, inspected
from helpers.specs import TRAIN, text_of

HEAD = "flatten -> dense(10)"
UNIT = "block unit(c: int) { conv(c, 1) -> relu }"


@pytest.mark.parametrize(
    ("items", "model", "name"),
    [
        ("param width = 8", HEAD, "width"),
        (UNIT, HEAD, "unit"),
        ("block unit(c: int, k: int = 1) { conv(c, 1) -> relu }", f"unit(8) -> {HEAD}", "k"),
        ("block unit(c: int) { let part = c // 2\nconv(c, 1) -> relu }", f"unit(8) -> {HEAD}", "part"),
        ("", f"let part = height // 2\n{HEAD}", "part"),
        ("", f"for i in 0..3 {{ conv(8, 1) }}\n{HEAD}", "i"),
        ("", f"repeat 2 {{ for i in [1, 2] {{ conv(8, 1) }} }}\n{HEAD}", "i"),
        ("", f"let y = conv(8, 1)\nadd {{ conv(8, 1) | let k = 2\ny }}\n{HEAD}", "k"),
    ],
)
def test_unused_definitions_are_reported(items: str, model: str, name: str) -> None:
    assert codes_and_places(text_of(model, items)) == [("W0201", name)]


@pytest.mark.parametrize(
    ("items", "model"),
    [
        ("param width = 8", f"conv(width, 1)\n{HEAD}"),
        ("param deep = false", f"if deep {{ conv(8, 1) }}\n{HEAD}"),
        ("param width = 8\nparam wide = 2 * width", f"conv(wide, 1)\n{HEAD}"),
        ("param width = 8\nblock unit(c: int = width) { conv(c, 1) }", f"unit\n{HEAD}"),
        ("param most = 50k\nassert params < most", HEAD),
        ("param most = 1.0\n" + TRAIN.replace("}", "clip norm(most)\n}"), HEAD),
        ("param rate = 0.1\n" + TRAIN.replace("}", "group b { select bias\n optimizer.lr rate }\n}"), HEAD),
        (UNIT, f"repeat 2 {{ unit(8) }}\n{HEAD}"),
        ("block twice(f: block) { f -> f }\nblock unit() { conv(8, 1) }", f"twice(unit)\n{HEAD}"),
        ("block unit(c: int, twice: int = 2 * c) { conv(twice, 1) }", f"unit(4)\n{HEAD}"),
        ("", f"for i in 0..3 {{ conv(8 + i, 1) }}\n{HEAD}"),
        ("", f"for (c, k) in [(8, 1), (8, 3)] {{ conv(c, 1) }}\n{HEAD}"),  # one of several
        ("", f"for (c, k) in [(8, 1), (8, 3)] {{ conv(8, k) }}\n{HEAD}"),
        ("", f"let part = 8\nconv(part, 1)\n{HEAD}"),
    ],
)
def test_used_definitions_are_not_reported(items: str, model: str) -> None:
    assert codes_and_places(text_of(model, items, size="3x32x32")) == []


def test_a_param_that_is_only_used_by_an_override() -> None:
    text = text_of(f"conv(width, 1)\n{HEAD}", "param width = 8\nparam wide = 16")
    assert codes_and_places(text) == [("W0201", "wide")]
    assert codes_and_places(text, ["width=wide"]) == []


def test_unused_named_tensors_have_another_warning() -> None:
    assert [code for code, _ in codes_and_places(text_of(f"let y = conv(8, 1)\n{HEAD}"))] == ["W0202"]


def test_a_block_used_only_by_an_unused_block_is_reported_after_its_removal() -> None:
    text = text_of(HEAD, f"{UNIT}\nblock pair() {{ unit(4) -> unit(8) }}")
    assert codes_and_places(text) == [("W0201", "pair")]
    assert "block" not in fixed_text(text)


def test_redefining_a_definition_that_the_base_uses() -> None:
    base = text_of(f"conv(width, 1)\n{HEAD}", "param width = 8")
    assert codes_and_places('arch derived extends "base.arch"\nparam width = 16\n', base=base) == []


def test_redefining_a_definition_that_only_the_base_would_use() -> None:
    base = text_of(f"conv(width, 1)\n{HEAD}", "param width = 8")
    derived = f'arch derived extends "base.arch"\nparam width = 16\nmodel {{ {HEAD} }}\n'
    assert codes_and_places(derived, base=base) == [("W0201", "width")]


def test_unused_definitions_of_a_base_are_reported_for_the_base() -> None:
    base = text_of(HEAD, "param width = 8")
    assert codes_and_places('arch derived extends "base.arch"\n', base=base) == []
    assert codes_and_places(base) == [("W0201", "width")]


def test_unused_blocks_of_a_library_are_not_reported() -> None:
    assert codes_and_places(f"library blocks\n{UNIT}\n") == []


def test_inside_a_library() -> None:
    text = "library blocks\nblock unit(c: int, k: int = 1) { for i in 0..2 { conv(c, 1) } }\n"
    assert codes_and_places(text) == [("W0201", "k"), ("W0201", "i")]
    assert "{ repeat 2 { conv(c, 1) } }" in fixed_text(text)


@pytest.mark.parametrize(
    ("items", "model", "gone"),
    [
        ("param width = 8", HEAD, "param"),
        ("param width = 8   # channels", HEAD, "param"),
        ("param one = 1\nparam two = 2\nparam three = 3", HEAD, "param"),
        ("param one = 1\nparam two = one", HEAD, "param"),
        (UNIT, HEAD, "block"),
        ("block unit() { let part = in_channels // 2\n    relu }", f"unit\n{HEAD}", "let"),
        ("", f"let part = (\n    height // 2\n)\n{HEAD}", "let"),
        ("", f"for i in 0..3 {{ conv(8, 1) }}\n{HEAD}", "for"),
        ("param n = 2", f"for i in 0..(n + 1) * 2 {{ conv(8, 1) }}\n{HEAD}", "for"),
        ("", f"for i in 0..2 {{ for j in 0..2 {{ conv(8, 1) -> relu }} }}\n{HEAD}", "for"),
        ("", f"for i in 0..-1 {{ conv(8, 1) -> relu }}\n{HEAD}", "for"),
        ("", f"for i in 0..(1 + 2) {{ conv(8, 1) }}\n{HEAD}", "for"),
        ("", f"for i in (0)..((1 + 2)){{ conv(8, 1) }}\n{HEAD}", "for"),
        ("", f"add {{ let part = 2\nrelu | relu }}\n{HEAD}", "let"),
    ],
)
def test_the_fix_is_safe(items: str, model: str, gone: str) -> None:
    text = text_of(model, items)
    after = fixed_text(text)
    assert gone in text
    assert gone not in after
    assert inspected(after).found.fingerprint == inspected(text).found.fingerprint
    assert codes_and_places(after) == []


def test_the_fix_keeps_what_stands_beside_and_behind() -> None:
    assert fixed_text(text_of(HEAD, "param width = 8   # channels")) == text_of(HEAD, "   # channels")
    text = text_of(HEAD)
    assert fixed_text(f"{text}param width = 8") == text


def test_a_value_of_a_library_may_be_a_tensor() -> None:
    text = "library blocks\nblock unit() { let part = relu\n conv(8, 1) }\n"
    assert codes_and_places(text) == []


def test_the_fix_never_empties_a_branch() -> None:
    text = text_of(f"add {{ let part = 2\nlet other = 3 | relu }}\n{HEAD}")
    assert codes_and_places(text) == [("W0201", "part"), ("W0201", "other")]
    assert fixed_text(text, also_unsafe=True) == text


@pytest.mark.parametrize("rounds", ["1..3", "[1, 2]", "n..3", "0..(2  # times\n)"])
def test_loops_that_repeat_can_not_replace_have_no_fix(rounds: str) -> None:
    text = text_of(f"for i in {rounds} {{ conv(8, 1) }}\n{HEAD}", "param n = 1" if "n" in rounds else "")
    assert codes_and_places(text) == [("W0201", "i")]
    assert fixed_text(text, also_unsafe=True) == text


def test_parameters_have_no_fix_since_calls_may_pass_them() -> None:
    text = text_of(f"unit(8, 1)\n{HEAD}", "block unit(c: int, k: int) { conv(c, 1) }")
    assert fixed_text(text, also_unsafe=True) == text


def test_the_variable_of_a_loop_of_branches_may_be_unused() -> None:
    assert codes_and_places(text_of("add for i in 0..2 { conv(4, 1) }\nflatten -> dense(10)")) == []
    found = codes_and_places(text_of("add for i in 0..2 { for j in 0..2 { conv(4, 1) } }\nflatten -> dense(10)"))
    assert found == [("W0201", "j")]
