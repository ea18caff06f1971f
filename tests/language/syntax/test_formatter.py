"""The canonical format, rule by rule, and the laws that hold for all texts."""

import random

import pytest
from helpers.layouts import check_laws, formatted
from helpers.specs import parse

from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.language.syntax import formatter

ALL_SHIPPED = sorted(specs_directory().rglob("*.arch"))
LONG = "conv(64, 3, pad=same, bias=false) -> bn -> relu"


def check(text: str, expected: str) -> None:
    """Check that the text is formatted as expected, and that the result is stable."""
    assert formatted(text) == expected
    assert formatted(expected) == expected
    assert parse(expected) == parse(text)


def in_model(stages: str) -> str:
    return f"arch a\n\nmodel {{\n{stages}}}\n"


SPACE = [
    ("let k=1+2*-a", "let k = 1 + 2 * -a"),
    ("let k = - a - -b", "let k = -a - -b"),
    ("let k = not ( a or b ) and c==d", "let k = not (a or b) and c == d"),
    ("let k = [ 1,2 , 3 ][ 0 ]", "let k = [1, 2, 3][0]"),
    ("let k = a [1 :] [: 2] [x:y]", "let k = a[1:][:2][x:y]"),
    ("let k = (1 if a else 2)if b else 3", "let k = (1 if a else 2) if b else 3"),
    ("conv( 8,3 , pad = 1 )", "conv(8, 3, pad=1)"),
    ("conv (8, k= -1,)", "conv(8, k=-1)"),
    ("conv(8, 3):8x6x6", "conv(8, 3) : 8x6x6"),
    ("conv(8, 3)   as   stem:8x6x6", "conv(8, 3) as stem : 8x6x6"),
    ("a->b  ->  c", "a -> b -> c"),
    ("x [:4]->relu", "x[:4] -> relu"),
    ("for   i in 0 .. n-1{ a }", "for i in 0..n - 1 { a }"),
    ("for (a,b) in [(1,2)]{ c }", "for (a, b) in [(1, 2)] { c }"),
    ("repeat 2{a->b}", "repeat 2 { a -> b }"),
    ("add{a|b}", "add { a | b }"),
    ("if a<1{b}else if c{d}else{e}", "if a < 1 { b } else if c { d } else { e }"),
    ("if a{}", "if a { }"),
    ("let y=a->b", "let y = a -> b"),
    ("y=a", "y = a"),
]


@pytest.mark.parametrize(("stage", "expected"), SPACE)
def test_space_in_a_stage(stage: str, expected: str) -> None:
    check(f"arch a\nmodel {{\n{stage}\n}}\n", in_model(f"    {expected}\n"))


ITEMS = [
    ("arch   a  extends  'b.arch'", 'arch a extends "b.arch"'),
    ("arch a extends b", "arch a extends b"),
    ("library a", "library a"),
    ("arch a\ninput   3x8x8", "arch a\ninput 3x8x8"),
    ("arch a\nparam w=[64,\t128,]", "arch a\nparam w = [64, 128]"),
    ("arch a\nassert params<5M", "arch a\nassert params < 5M"),
    ("arch a\nblock u(){}", "arch a\nblock u() { }"),
    (
        "arch a\nblock u(c:int,m:before|after=after,k=1){a}",
        "arch a\nblock u(c: int, m: before | after = after, k=1) { a }",
    ),
    ("arch a\nblock u(c,k = 1){a}", "arch a\nblock u(c, k=1) { a }"),
    ("arch a\ntrain{batch 64}", "arch a\ntrain { batch 64 }"),
    ("arch a\ntrain { optimizer . lr 1e-3 }", "arch a\ntrain { optimizer.lr 1e-3 }"),
]


@pytest.mark.parametrize(("text", "expected"), ITEMS)
def test_space_in_an_item(text: str, expected: str) -> None:
    check(text.replace("'", '"'), expected.replace("'", '"') + "\n")


def test_indentation_and_blank_lines() -> None:
    check(
        "\n\narch a\ninput 3x8x8\n\n\nparam a = 1\nblock u() {\na\n\n\n   b\n}\n"
        "model {\n\n\tu\n  add {\na\n b\n|c\n}\n\n}\n\n\n",
        """\
arch a
input 3x8x8

param a = 1

block u() {
    a

    b
}

model {
    u
    add {
        a
        b
      | c
    }
}
""",
    )


def test_the_author_s_line_breaks_are_kept() -> None:
    check(
        "arch a\nmodel {\na -> b ->\nc\nd\n-> e\nrepeat 2 { f\n}\nrepeat 3 {\ng }\nlet y =\nh\n}\n",
        """\
arch a

model {
    a -> b
        -> c
    d
        -> e
    repeat 2 {
        f
    }
    repeat 3 {
        g
    }
    let y = h
}
""",
    )


def test_a_list_stays_broken_if_an_item_starts_a_line() -> None:
    check(
        "arch a\nparam a = [1,\n 2, 3\n]\nparam b = [1, 2\n]\nparam c = [\n(1,\n2)]\n",
        """\
arch a

param a = [
    1,
    2, 3
]

param b = [1, 2]

param c = [
    (
        1,
        2
    )
]
""",
    )


def test_long_lines_are_broken_before_arrows() -> None:
    check(
        f"arch a\nmodel {{ {LONG} -> {LONG} -> {LONG} }}\n",
        in_model(f"    {LONG} -> conv(64, 3, pad=same, bias=false) -> bn -> relu\n        -> {LONG}\n"),
    )


def test_long_lines_without_arrows_are_broken_in_their_last_brackets() -> None:
    name = "a_rather_long_name"
    check(
        f"arch a\nblock u({', '.join(f'{name}_{i}: int = {i}' for i in range(5))}) {{ a }}\n",
        f"""\
arch a

block u(
    {name}_0: int = 0, {name}_1: int = 1, {name}_2: int = 2,
    {name}_3: int = 3, {name}_4: int = 4
) {{
    a
}}
""",
    )


def test_no_line_that_can_be_broken_is_too_long() -> None:
    numbers = ", ".join(map(str, range(1000, 1100)))
    text = formatted(f"arch a\nparam a = [{numbers}]\nmodel {{ {' -> '.join(['relu'] * 100)} }}\n")
    assert max(map(len, text.splitlines())) <= 120
    assert len(text.splitlines()) < 25  # lines are filled


def test_values_of_settings_are_aligned() -> None:
    check(
        "arch a\ntrain {\nbatch 64\naugment crop(4)->flip\noptimizer.weight_decay 0\n"
        "group g { select bias\nepochs 2 }\n}\n",
        """\
arch a

train {
    batch                   64
    augment                 crop(4) -> flip
    optimizer.weight_decay  0
    group g {
        select  bias
        epochs  2
    }
}
""",
    )


def test_comments_beside_code_are_aligned() -> None:
    check(
        f"arch a # 1\nmodel {{ # 2\na # 3\n{LONG} # 4\n\nb # 5\n   c\n}} # 6\n",
        f"""\
arch a                              # 1

model {{                                                 # 2
    a                                                   # 3
    {LONG}     # 4

    b                               # 5
    c
}}                                   # 6
""",
    )


COMMENTS = [
    # a comment above code, with the indentation of the code
    ("# 1\narch a\n# 2\n# 3\ninput 3x8x8\n", "# 1\narch a\n# 2\n# 3\ninput 3x8x8\n"),
    # at most one blank line between comments
    ("# 1\n\n\n# 2\narch a\n", "# 1\n\n# 2\narch a\n"),
    # in an empty body and at the end of one
    ("arch a\nmodel {\n# 1\n}\n", "arch a\n\nmodel {\n    # 1\n}\n"),
    ("arch a\nmodel {\nb\n# 1\n\n\n# 2\n\n}\n", "arch a\n\nmodel {\n    b\n    # 1\n\n    # 2\n}\n"),
    # at the end of the file
    ("arch a\n\n\n# 1\n# 2", "arch a\n\n# 1\n# 2\n"),
    # between branches, before and after the bar
    (
        "arch a\nmodel { add { b # 1\n# 2\n| # 3\nc } }\n",
        in_model("    add {\n" + "        b".ljust(36) + "# 1\n        # 2\n        # 3\n      | c\n    }\n"),
    ),
    # before `else`
    (
        "arch a\nmodel { if b { c }\n# 1\nelse { d } }\n",
        in_model("    if b {\n        c\n    }\n    # 1\n    else {\n        d\n    }\n"),
    ),
    # in a list, where a comma moves before it
    (
        "arch a\nparam b = [\n1 # 1\n, # 2\n2\n# 3\n]\n",
        "arch a\n\nparam b = [\n" + "    1,".ljust(36) + "# 1\n    # 2\n    2\n    # 3\n]\n",
    ),
    # after an arrow
    (
        "arch a\nmodel { b -> # 1\nc\n}\n",
        in_model("    b".ljust(36) + "# 1\n        -> c\n"),
    ),
    # a comment continued below, in the same column
    (
        "arch a\nmodel {\nb    # 1\n     # 2\nc\n# 3\n}\n",
        in_model("    b".ljust(36) + "# 1\n" + " " * 36 + "# 2\n    c\n    # 3\n"),
    ),
    # the blank line before an item of several lines comes after the comment
    (
        "arch a # 1\n       # 2\nmodel {\nb\n}\n",
        "arch a".ljust(36) + "# 1\n" + " " * 36 + "# 2\n\nmodel {\n    b\n}\n",
    ),
    # a comment sign in a string, and a string in a comment
    ('arch a extends "#b"# "c"\n', 'arch a extends "#b"'.ljust(36) + '# "c"\n'),
    # longer than a line
    (f"arch a # {'x' * 200}\n", f"{'arch a':36}# {'x' * 200}\n"),
]


@pytest.mark.parametrize(("text", "expected"), COMMENTS)
def test_comments(text: str, expected: str) -> None:
    check(text, expected)


def test_line_ends_are_normalised() -> None:
    check("arch a\r\ninput 3x8x8 # b \r\n\tparam c = 1", f"arch a\n{'input 3x8x8':36}# b\nparam c = 1\n")


def test_a_text_that_does_not_parse_is_not_formatted() -> None:
    with pytest.raises(SpecError):
        formatted("arch a\nmodel { conv( }\n")


def test_a_change_of_meaning_raises_an_assertion_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formatter._Writer, "text", lambda _: "arch b\n")
    with pytest.raises(AssertionError, match="change its meaning"):
        formatted("arch a\n")


@pytest.mark.parametrize("path", ALL_SHIPPED, ids=lambda path: path.stem)
def test_shipped_specs_are_canonical(path) -> None:
    text = path.read_text(encoding="utf-8")
    assert formatted(text) == text


# ---- laws


@pytest.mark.parametrize("path", ALL_SHIPPED, ids=lambda path: path.stem)
def test_the_laws_hold_for_shipped_specs(path) -> None:
    check_laws(path.read_text(encoding="utf-8"), random.Random(0))
