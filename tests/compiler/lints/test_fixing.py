"""Applying fixes to a text."""

import pytest
from helpers.findings import fixed_text
from helpers.specs import text_of

from cifar_dsl.compiler.lints import fixed
from cifar_dsl.language.diagnostics import Diagnostic, Edit, Fix, Label
from cifar_dsl.language.source import Source, Span

TEXT = Source("example.arch", "one two three")
OTHER = Source("other.arch", "one two three")


def finding(*edits: tuple[int, int, str], safe: bool = True, source: Source = TEXT) -> Diagnostic:
    made = tuple(Edit(Span(source, start, end), text) for start, end, text in edits)
    return Diagnostic("W0201", "found", Label(Span(source, 0, 1)), fixes=(Fix("fix it", made, safe),))


def test_edits_are_applied_at_their_places() -> None:
    assert fixed(TEXT, [finding((0, 3, "1")), finding((8, 13, "3"), (4, 7, ""))]) == "1  3"


def test_unsafe_fixes_need_an_option() -> None:
    assert fixed(TEXT, [finding((0, 3, "1"), safe=False)]) == "one two three"
    assert fixed(TEXT, [finding((0, 3, "1"), safe=False)], also_unsafe=True) == "1 two three"


@pytest.mark.parametrize("second", [(0, 3, "2"), (2, 5, "2"), (3, 4, "2"), (1, 2, "2")])
def test_only_the_first_of_overlapping_fixes_is_applied(second: tuple[int, int, str]) -> None:
    assert fixed(TEXT, [finding((0, 3, "1")), finding(second)]) == "1 two three"


def test_a_fix_is_applied_completely_or_not_at_all() -> None:
    assert fixed(TEXT, [finding((0, 3, "1")), finding((8, 13, "3"), (2, 4, ""))]) == "1 two three"


def test_another_file_is_left_alone() -> None:
    assert fixed(TEXT, [finding((0, 3, "1"), source=OTHER)]) == "one two three"


def test_the_first_fix_of_a_diagnostic_is_applied() -> None:
    first, second = finding((0, 3, "1")), finding((4, 7, "2"))
    both = Diagnostic("W0201", "found", first.label, fixes=(*first.fixes, *second.fixes))
    assert fixed(TEXT, [both]) == "1 two three"


def test_an_unsafe_first_fix_does_not_hide_a_safe_one() -> None:
    first, second = finding((0, 3, "1"), safe=False), finding((4, 7, "2"))
    both = Diagnostic("W0201", "found", first.label, fixes=(*first.fixes, *second.fixes))
    assert fixed(TEXT, [both]) == "one 2 three"


def test_nothing_to_fix() -> None:
    assert fixed(TEXT, []) == "one two three"


def test_did_you_mean() -> None:
    text = text_of("cnov(8, 1) -> rellu\nflaten\ndense(10)")
    assert fixed_text(text) == text
    assert fixed_text(text, also_unsafe=True) == text_of("conv(8, 1) -> relu\nflatten\ndense(10)")
