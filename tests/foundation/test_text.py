"""Figures for people."""

import re
from pathlib import Path
from urllib.error import URLError

import pytest

import cifar_dsl
from cifar_dsl.foundation.text import (
    accuracy_in_percent,
    alternatives,
    columns,
    duration,
    in_short,
    percent,
    points,
    reason_of,
    small_number,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (999.9, "1 k"),
        (4_548_608, "4.55 M"),
        (999_499, "999 k"),
        (999_999, "1 M"),
        (-2_000, "-2 k"),
        (1_500_000_000, "1.5 G"),
        (2 * 10**12, "2 T"),
    ],
)
def test_a_count_has_three_digits_and_a_unit(number, text):
    assert in_short(number) == text


def test_a_unit_of_measurement_follows_the_factor():
    assert (in_short(1_770_000, "B"), in_short(12, "B")) == ("1.77 MB", "12 B")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (99.94, "99.9 s"), (100, "1 min 40 s"), (245, "4 min 05 s"), (7320, "2 h 02 min")],
)
def test_a_time_has_the_units_that_suit_it(seconds, text):
    assert duration(seconds) == text


def test_shares_are_in_percent():
    assert (accuracy_in_percent(0.7201), accuracy_in_percent(1)) == ("72.01 %", "100.00 %")
    assert accuracy_in_percent(0.72007, 0.00419) == "72.01 ± 0.42 %"
    assert (percent(0.9313), percent(0.5, 0), points(0.0896, 2, sign=True)) == ("93.1 %", "50 %", "+8.96")
    assert points(-0.00001, 2) == "0.00"


def test_only_one_module_formats_percent():
    # A conversion to percent, or an accuracy with decimals, in an f-string.
    elsewhere = re.compile(r"\{[^{}]*:[^{}]*%\}|\{[^{}]*accuracy[^{}]*:\.\df\}")
    package = Path(cifar_dsl.__file__).parent
    found = {
        str(path.relative_to(package)) for path in package.rglob("*.py") if elsewhere.search(path.read_text("utf-8"))
    }
    assert not found


def test_columns_are_aligned_and_lines_end_without_spaces():
    rows = [["name", "n", "note"], ["a", "100", ""], ["longer", "7", "x"]]
    assert columns(rows, right=frozenset({1}), indent="> ") == [
        "> name      n  note",
        "> a       100",
        "> longer    7  x",
    ]


@pytest.mark.parametrize(
    ("items", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_alternatives_are_joined_by_commas_and_an_or(items, text):
    assert alternatives(items) == text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("999999999", 999_999_999),
        *((text, None) for text in ("", "-1", "1_0", "٣", "²", "9" * 5000)),
    ],
)
def test_a_small_number_is_of_a_few_ascii_digits(text, number):
    assert small_number(text) == number


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file or directory", "x.npz"), "No such file or directory"),
        (URLError(OSError(-2, "Name or service not known")), "Name or service not known"),
        (URLError("no host given"), "<urlopen error no host given>"),
        (OSError("image file is truncated"), "image file is truncated"),
        (ValueError("one\ntwo"), "one"),
        (EOFError(), "EOFError"),
    ],
)
def test_a_reason_is_one_line_without_numbers_of_the_system(error, reason):
    assert reason_of(error) == reason
