"""A syntax error hides no other error, and causes none."""

import random
from pathlib import Path

import pytest
from helpers.charged import charged_work
from helpers.findings import inspected
from helpers.mistakes import apart, of_meaning, of_syntax, planted
from helpers.specs import TRAIN, codes_of, errors_of, text_of

from cifar_dsl.compiler.lints import inspect
from cifar_dsl.foundation.resources import specs_directory

DAMAGE = "conv(8, 3) conv(8, 3)\n"  # a line with a syntax error


def places(text: str, **bases: str) -> list[tuple[str, str]]:
    """The code and the place of each error."""
    return [(one.code, one.label.span.text if one.label else "") for one in inspected(text, **bases).diagnostics]


@pytest.mark.parametrize(
    ("stages", "items", "found"),
    [
        ("cnov(8, 3)", "", ("E0201", "cnov")),
        ("conv(wide, 3)", "", ("E0202", "wide")),
        ("conv(8, kernl=3)", "", ("E0301", "kernl")),
        ("conv(8, 3, pad=1, 1)", "", ("E0301", "1")),
        ("conv(8)", "", ("E0303", "conv(8)")),
        ("conv(0, 3)", "", ("E0304", "0")),
        ("conv(c, 3)", "param c = 0", ("E0304", "0")),
        ("conv(8, 3, kernel=3)", "", ("E0305", "kernel=3")),
        ("repeat 2 { add { identity | conv(0, 3) } }", "", ("E0304", "0")),
        ('unit("a")', "block unit(c: int) { conv(c, 1) }", ("E0304", '"a"')),
        ("unit()", "block unit(c) { conv(c, 1) }", ("E0303", "unit()")),
        ("unit(8)", "block unit(c) { conv(c, strid=1) }", ("E0301", "strid")),
        ("relu", "param p = 1 / 0", ("E0210", "0")),
        ("relu", "param p = 1\nparam p = 2", ("E0207", "p")),
        ("relu", TRAIN.replace("adam", "adm"), ("E0404", "adm")),
        ("relu", TRAIN.replace("batch 8", "batch 0"), ("E0403", "0")),
        ("relu", TRAIN.replace("epochs", "epoch"), ("E0401", "epoch")),
        ("relu", TRAIN.replace("1e-3", "1e-3, nosuch=1"), ("E0301", "nosuch")),
        ("relu", "train { group g { selct bias } }", ("E0401", "selct")),
        ("relu", "library_block(3)", None),
        ("cnov(8, 3)", "block unit(c) { conv(c 1) }", ("E0201", "cnov")),  # the damaged definition has its name
        ("for i in 0..3 0..3 { conv(i, 1) }\nconv(wide, 3)", "", ("E0202", "wide")),
    ],
)
def test_readable_parts_are_checked(stages: str, items: str, found: tuple[str, str] | None) -> None:
    errors = places(text_of(f"{DAMAGE}{stages}", items))
    assert errors[0][0] == "E0101"
    assert found is None or found in errors[1:]


OVERRIDDEN = TRAIN.replace("adam(1e-3)\n", "sgd(lr=0.1)\n group g {\n select bias\n optimizer.lr 1\n }\n")


@pytest.mark.parametrize(
    ("stages", "items"),
    [
        ("let y conv(8, 1 3)\ny -> relu", ""),  # what a damaged line defines is known
        ("y -> relu", "block unit(y z) { y }"),
        ("unit(8, stride=2)", "block unit(c stride) { conv(c, 1) }"),
        ("unit(8, stride=2)", "block unit(\n    c,\n    stride = ,\n) { conv(c, 1) }"),
        ("conv(c, 3)", "param c 0 -"),
        ("conv(c, 3)", "param b = = 0\nparam c = b"),
        ("for i 0..3 { conv(i, 1) }\nconv(i, 1)", ""),
        ("conv(8,\n    pad=1,\n    kernel=3\nrelu", ""),  # the lines of an open bracket
        ("relu)", TRAIN.replace("optimizer adam(1e-3)", "optimizer adam(1e-3")),  # a setting may be missing
        ("relu)", "train {\n data cifar10\n group g {\n select bias\n batch 8\n}"),  # nothing is known of its settings
        ("relu)", ""),
        ("let = conv(8, 1)\ny -> relu", ""),  # any name may be defined there
        ("for (a, *) in [(1, 2)] { conv(a, b) }", ""),
        ("for in 0..3 { conv(i, 1) }", ""),
        ("unit(8)\nconv(c, 1)", "block (c) { conv(c, 1) }\nparam = 3"),
        ("relu", "block unit(c, = 3) { conv(d, 1) }"),
        ("relu", "block unit(c, stridelet x: int) {\n conv(c, stride)\n}"),  # two words were joined
        ("unit(8)", "block unitx c: int) {\n conv(c, 1)\n}"),
        ("for i in 0..3 {\n relu}(tanh)\n conv(i, 1)\n}", ""),  # names of a body that ends too early
        ("relu", OVERRIDDEN.replace("optimizer sgd", "optimizersgd")),
        ("relu", TRAIN.replace("}", " biases {\n select bias\n optimizer sgd(lr=0.1)\n }\n}")),  # braces of settings
        ("relu", "train block {\n conv_block(8)\n dense(3)\n}"),
    ],
)
def test_an_error_that_the_damage_may_cause_is_not_reported(stages: str, items: str) -> None:
    assert {code for code, _ in places(text_of(stages, items))} <= {"E0101", "E0102"}


def test_a_spec_without_a_model_is_checked() -> None:
    text = f"arch a\ninput 3x8x8\nblock unit(c) {{ cnov(c, 1) }}\n{TRAIN.replace('adam', 'adm')}"
    assert sorted(codes_of(text)) == ["E0106", "E0201", "E0404"]


def test_a_library_with_a_syntax_error_is_checked() -> None:
    text = "library l\nblock a(c) { conv(c 1) }\nblock b(c) { cnov(c, 1) }"
    assert places(text) == [("E0101", "1"), ("E0201", "cnov")]


def test_a_derived_spec_knows_the_names_of_its_base() -> None:
    base = text_of("unit(8)", "param width = 8\nblock unit(c) { conv(c, 1) }")
    text = 'arch a extends "base.arch"\nmodel {\n unit(width)\n relu relu\n uint(8)\n}'
    assert places(text, base=base) == [("E0101", "relu"), ("E0201", "uint")]


def test_what_only_a_damaged_line_may_use_is_not_reported() -> None:
    base = text_of("unit(8)", "block unit(c) { conv(c, 1) }\nparam width = 8")
    text = 'arch a extends "base.arch"\nparam width = \nblock other(c) { conv(c, 1) }'
    assert [code for code, _ in places(text, base=base)] == ["E0101"]


@pytest.mark.parametrize(
    "header", ['arch a extends "missing.arch"', 'arch a "base.arch"', 'arch a extends "base.arch', "arch a b"]
)
def test_nothing_is_checked_that_a_lost_base_may_define(header: str) -> None:
    text = f"{header}\nmodel {{\n unit(8)\n relu relu\n}}"
    assert {code for code, _ in places(text, base=text_of("relu"))} <= {"E0101", "E0203"}


def test_syntax_errors_come_first_and_the_number_is_limited() -> None:
    errors = errors_of(text_of("\n".join(f"cnov{i}(8)" for i in range(30)) + "\nrelu relu"))
    assert len(errors) == 20
    assert errors[0].code == "E0101"


# ---- several syntax errors


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (text_of("conv(8, 3\nlet y = conv(8, 3) relu\n"), ["(", "relu"]),
        (text_of("let y = conv(8, 3\nlet z = conv(8, [3\nbn bn"), ["(", "[", "bn"]),
        (text_of("relu relu", "block u(c) {\n conv(c, 3\n}\nblock v(c) {\n conv(c, [3\n}"), ["(", "[", "relu"]),
        (text_of("relu relu", "block u(c) {\n repeat 2 {\n  conv(c, 3)\n}\nparam p 3"), ["{", "3", "relu"]),
        (text_of("relu relu", "block u(c) {\n conv(c, 3)\n }\n}\nparam p 3"), ["}", "3", "relu"]),
    ],
)
def test_an_unbalanced_bracket_hides_no_later_error(text: str, found: list[str]) -> None:
    assert [place for _, place in places(text)] == found


# ---- pairs of mistakes


def _errors(path: Path, text: bytes, but_at: str | None = None) -> set[tuple[str, str]]:
    """Codes and messages of the errors, without those that underline `but_at` or are in a line of it."""
    found = inspect(path, specs_directory(), texts={path.resolve(): text.decode()})
    errors = (one for one in found.diagnostics if one.severity == "error")
    lines = but_at.strip().splitlines() if but_at else []
    return {
        (one.code, one.message)
        for one in errors
        if not one.label
        or (one.label.span.text != but_at and one.label.span.source.line_text(one.label.span.line).strip() not in lines)
    }


def test_a_syntax_error_causes_no_other_errors() -> None:
    """Of a syntax error and another mistake together, every error is one of the two alone, or names the other mistake.

    The use that is blamed first may be in the line that can't be read; then another use is.
    """
    paths = sorted((specs_directory() / "zoo").glob("*.arch"))
    shown = 0
    for number in range(60):
        draw = random.Random(f"pair {number}")
        path = draw.choice(paths)
        text = path.read_bytes()
        first, second = of_syntax(draw, text), of_meaning(draw, text)
        if not first or not second or not apart(first, second) or len(text) > 3000:
            continue
        alone = _errors(path, planted(text, first)) | _errors(path, planted(text, second))
        both = _errors(path, planted(text, first, second))
        others = _errors(path, planted(text, first, second), but_at=second.text.decode())
        assert {error for error in others if error[0] > "E0102"} <= alone, (path.stem, first, second)
        shown += len(both & alone)
    assert shown >= 5


def test_the_values_of_readable_parts_are_limited_in_steps() -> None:
    lists = "param x = [1, 2, 3, 4, 5, 6, 7, 8] + [1, 2]\nparam y = x + x + x + x\nparam z = y + y + y + y\n"
    sums = "".join(f"param p{i} = sum(z){' + sum(z)' * 25}\n" for i in range(200))
    with charged_work() as works:
        found = inspected(text_of(DAMAGE + "conv(wide, 3)", lists + sums)).diagnostics
    assert found[0].code == "E0101"
    assert works[-1].done < 600_000


def test_names_are_checked_beside_a_syntax_error_of_a_long_text() -> None:
    """A tree of many steps leaves as many steps for the names as a small one."""
    stages = "relu\n" * 4000 + DAMAGE + "conv(wide, 3)"
    assert places(text_of(stages))[-1] == ("E0202", "wide")
