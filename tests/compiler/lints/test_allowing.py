"""Comments that allow warnings, and W0101 for unused comments."""

import pytest
from helpers.findings import codes_and_places, fixed_text, inspected

BIAS = "W0203"
POOL = "W0204"
TEXT = """\
arch test

input 3x9x9

model {
    conv(8, 1) -> bn
    relu
    maxpool(2)
    flatten
    dense(10)
}
"""
STAGE = "    conv(8, 1) -> bn\n"


def codes_with(old: str, new: str) -> list[str]:
    assert TEXT.count(old) == 1
    return [code for code, _ in codes_and_places(TEXT.replace(old, new))]


def test_without_comments_both_are_reported() -> None:
    assert codes_and_places(TEXT) == [(BIAS, "conv(8, 1)"), (POOL, "maxpool(2)")]


@pytest.mark.parametrize(
    "comment",
    [
        "# allow: W0203",
        "#allow:W0203",
        "#  allow:   W0203   ",
        "# allow: W0203 (as published)",
        "# allow: W0203 as published",
        "# allow: W0203: as published",
        "# allow: W0203 # and more",
    ],
)
def test_a_comment_at_the_end_of_a_line_applies_to_that_line(comment: str) -> None:
    assert codes_with(STAGE, f"    conv(8, 1) -> bn  {comment}\n") == [POOL]


@pytest.mark.parametrize(
    "before",
    ["    # allow: W0203\n", "# allow: W0203\n\n", "    # allow: W0203\n    # more\n\n", "    # allow: W0203\n  \t \n"],
)
def test_a_comment_on_its_own_line_applies_to_the_next_line_of_code(before: str) -> None:
    assert codes_with(STAGE, before + STAGE) == [POOL]


@pytest.mark.parametrize(
    "before", ["# allow: W0203\n", "# A network.\n# allow: W0203\n\n# More.\n", "\n# allow: W0203\n"]
)
def test_a_comment_above_the_header_applies_to_the_file(before: str) -> None:
    assert codes_with("arch test\n", f"{before}arch test\n") == [POOL]


@pytest.mark.parametrize("comment", ["# allow: W0203, W0204", "# allow: W0203 , W0204 (both)", "# allow: W0204,W0203"])
def test_several_codes(comment: str) -> None:
    assert codes_with("arch test\n", f"{comment}\narch test\n") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("relu\n", "relu  # allow: W0203\n"),
        ("    relu\n", "    # allow: W0203\n    relu\n"),  # below the line that it is about
        ("arch test\n", "arch test  # allow: W0203\n"),  # beside the head, not above it
        ("input", "# allow: W0203\ninput"),
        ("dense(10)\n}\n", "dense(10)\n}\n# allow: W0203\n"),
    ],
)
def test_a_comment_on_another_line_allows_nothing(old: str, new: str) -> None:
    assert sorted(codes_with(old, new)) == ["W0101", BIAS, POOL]


@pytest.mark.parametrize("comment", ["# Allow: W0203", "# allow W0203", "# allowed: W0203", "# I allow: W0203"])
def test_other_comments_allow_nothing_and_are_left_alone(comment: str) -> None:
    assert codes_with(STAGE, f"    conv(8, 1) -> bn  {comment}\n") == [BIAS, POOL]


def test_quoted_text_is_no_comment() -> None:
    base = {"a # allow: W0203": TEXT}
    assert codes_and_places('arch derived extends "a # allow: W0203.arch"\n', **base) == []


def test_a_base_allows_nothing_in_what_extends_it() -> None:
    base = "# allow: W0203, W0204\n" + TEXT.replace("conv(8, 1) -> bn", "unit").replace(
        "input", "block unit() { conv(8, 1) -> bn }\ninput"
    )
    assert codes_and_places(base) == []
    derived = 'arch derived extends "base.arch"\nblock unit() { conv(4, 1) -> bn }\n'
    assert codes_and_places(derived, base=base) == [(BIAS, "conv(4, 1)")]


def test_errors_are_reported_without_checking_comments() -> None:
    assert codes_with("flatten\n", "flaten  # allow: E0201\n") == ["E0201"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("W0205", "`W0205` is allowed here, but nothing here causes it"),
        ("W0999", "unknown warning `W0999`"),
        ("w0205", "unknown warning `w0205`"),
        ("E0302", "`E0302` is an error, and only warnings can be allowed"),
    ],
)
def test_the_message_of_an_unused_comment(code: str, message: str) -> None:
    text = TEXT.replace("relu", f"relu  # allow: {code}")
    (diagnostic,) = [one for one in inspected(text).diagnostics if one.code == "W0101"]
    assert diagnostic.message == message
    assert diagnostic.label.span.text == code


def test_one_of_two_codes_allows_nothing() -> None:
    text = TEXT.replace("-> bn", "-> bn  # allow: W0203, W0205")
    assert codes_and_places(text) == [("W0101", "W0205"), (POOL, "maxpool(2)")]
    assert fixed_text(text) == text  # the comment also allows another code, so it has no fix


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    relu\n", "    relu  # allow: W0205\n"),
        ("    relu\n", "    # allow: W0205\n    relu\n"),
        ("arch", "# allow: W0205\narch"),
        ("    dense(10)\n}\n", "    dense(10)\n}\n# allow: W0205\n"),
        ("    dense(10)\n}\n", "    dense(10)\n}  # allow: W0205\n"),
    ],
)
def test_the_fix_deletes_the_comment(old: str, new: str) -> None:
    text = TEXT.replace(old, new)
    assert text != TEXT
    assert fixed_text(text) == TEXT


def test_a_comment_with_a_reason_has_no_fix() -> None:
    text = TEXT.replace("relu", "relu  # allow: W0205 (as published)")
    assert fixed_text(text) == text
