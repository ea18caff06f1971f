"""W0206: branches and loops that no param can change."""

import pytest
from helpers.findings import codes_and_places, inspected
from helpers.specs import text_of

HEAD = "flatten -> dense(10)"


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ("if true { relu }", "true"),
        ("if false { relu } else { gelu }", "false"),
        ("if not false { relu }", "not false"),
        ("if 2 * 3 > 5 { relu }", "2 * 3 > 5"),
        ("if height > 4 { relu } else if 1 > 2 { gelu }", "1 > 2"),
        ("conv(8 if true else 16, 1)", "true"),
        ("conv(8 if height > 4 else 16 if false else 32, 1)", "false"),
        ("repeat 0 { relu }", "0"),
        ("repeat 2 - 2 { relu }", "2 - 2"),
        ("for c in [] { conv(c, 1) }", "[]"),
        ("add { relu | repeat 2 { if true { gelu -> conv(3, 1) } } }", "true"),
    ],
)
def test_constant_conditions_are_reported(model: str, place: str) -> None:
    assert codes_and_places(text_of(f"{model}\n{HEAD}")) == [("W0206", place)]


@pytest.mark.parametrize(
    ("items", "model"),
    [
        ("", "if height > 4 { relu }"),
        ("", "if in_channels == 3 { relu }"),
        ("param deep = true", "if deep { relu }"),
        ("param deep = true", "if deep or false { relu }"),
        ("param n = 0", "repeat n { relu }"),
        ("param n = 0", "for i in 0..n { conv(8 + i, 1) }"),
        ("param widths = []", "for c in widths { conv(c, 1) }"),
        ("", "for i in 0..3 { if i == 1 { relu } else { gelu } }"),
        ("", "let k = 3\nif k == 3 { relu }"),
        ("", "repeat 2 { gelu -> conv(3, 1) }"),
        ("assert 1 < 2", "relu"),
    ],
)
def test_conditions_that_can_change_are_not_reported(items: str, model: str) -> None:
    assert codes_and_places(text_of(f"{model}\n{HEAD}", items)) == []


def test_a_default_and_the_argument_of_a_block() -> None:
    block = "block unit(c: int = 8 if true else 4) { conv(c, 1) }"
    assert codes_and_places(text_of(f"unit -> unit(4 if false else 8)\n{HEAD}", block)) == [
        ("W0206", "true"),
        ("W0206", "false"),
    ]


def test_a_constant_inside_another_is_reported_only_if_the_outer_one_can_change() -> None:
    constant, varying = "repeat (0 if true else 1) { relu }", "if height > (4 if true else 5) { relu }"
    assert codes_and_places(text_of(f"{constant}\n{HEAD}")) == [("W0206", "0 if true else 1")]
    assert codes_and_places(text_of(f"{varying}\n{HEAD}")) == [("W0206", "true")]


def test_blocks_of_a_library() -> None:
    assert codes_and_places("library blocks\nblock unit() { if true { relu } }\n") == [("W0206", "true")]


def test_the_message_states_the_constant_value() -> None:
    messages = [
        one.message for one in inspected(text_of(f"if 1 < 2 {{ relu }}\nif 1 > 2 {{ relu }}\n{HEAD}")).diagnostics
    ]
    assert messages == ["this condition is always true", "this condition is always false"]


def test_a_condition_that_can_not_be_evaluated_is_an_error() -> None:
    assert [code for code, _ in codes_and_places(text_of(f"if 1 // 0 {{ relu }}\n{HEAD}"))] == ["E0210"]


def test_a_constant_that_takes_too_many_steps_has_no_warning() -> None:
    """A block that is never called is evaluated by nothing else."""
    costly = f"[{'1, ' * 3000}1]{'[1:]' * 6000}"
    block = f"block unit() {{ if {costly} == [] {{ relu }} }}"
    assert codes_and_places(text_of(HEAD, block)) == [("W0201", "unit")]
