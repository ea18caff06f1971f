"""The findings claim no more than the statistics support."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifar_dsl.experiments.comparison import compare
from cifar_dsl.experiments.comparison.sentences import p_text, pair_sentences, points, range_text, sentences

BASE = (0.70, 0.71, 0.72, 0.69, 0.73)


@pytest.fixture
def findings(entry):
    def findings(*others, base=BASE, **options):
        entries = [entry("base", accuracies=base), *(entry(f"s{i}", accuracies=each) for i, each in enumerate(others))]
        return sentences(compare(entries, "base", **options))

    return findings


def test_a_spec_that_beats_the_baseline(findings):
    assert findings((0.80, 0.79, 0.81, 0.80, 0.82)) == ["s0 beats base by 9.4 points (7.3 to 11.5)"]


def test_a_spec_that_is_worse(findings):
    assert findings((0.60, 0.59, 0.61, 0.60, 0.62)) == ["s0 is worse than base by 10.6 points (8.5 to 12.7)"]


def test_without_significance_the_detectable_difference_and_the_seeds_needed_are_stated(findings):
    assert findings((0.705, 0.715, 0.725, 0.695, 0.735)) == [
        "s0: no significant difference from base (-1.9 to +2.9 points); 5 seeds can detect differences of about 3.3 "
        "points or more; if the difference of 0.5 points is real, it takes about 153 more seeds per spec to show it"
    ]


def test_a_difference_of_nothing_can_not_be_settled(findings):
    (line,) = findings(BASE)
    assert line.endswith("if the difference of 0.00 points is real, it takes more than 1,000 seeds to show it")


def test_unequal_numbers_of_seeds_are_both_stated(findings):
    assert "3 seeds against 5 can detect differences of about" in findings((0.705, 0.715, 0.725))[0]


def test_specs_with_one_run_or_none_share_a_sentence(findings):
    assert findings((0.7,), (), (0.6,), (0.7, 0.71, 0.7, 0.7), (), base=(0.5, 0.51, 0.49))[1:] == [
        "s0, s2: one run each can't separate a trick from luck; train more seeds",
        "s1, s4: no run",
    ]


@pytest.mark.parametrize(
    ("base", "other", "expected"),
    [
        ((0.5,), (0.7,), "s0: +20.0 points, but one run of s0 can't separate a trick from luck; train more seeds"),
        (
            (0.5,),
            (0.7, 0.8),
            "s0: +25.0 points, but one run of base can't separate a trick from luck; train more seeds",
        ),
        (
            (0.5, 0.5),
            (0.7, 0.7),
            "s0: +20.0 points, but neither spec varies between seeds, so chance can't be estimated",
        ),
        ((0.5, 0.6), (), "s0: no run"),
        ((0.5, 0.6), (None, None), "s0: no run finished; of 2 runs, 2 diverged"),
        ((), (0.5, 0.6), "s0: base has no finished run to compare with"),
    ],
)
def test_the_reason_is_stated_if_nothing_can_be_tested(findings, base, other, expected):
    assert findings(other, base=base) == [expected]


def test_lost_runs_are_stated_with_every_claim(findings):
    base, trick = findings((0.80, 0.79, None, 0.81, None), base=(*BASE, None))
    assert base == "base, the baseline; of 6 runs, 1 diverged (the statistics cover the finished runs only)"
    assert trick.startswith("s0 beats base by ")
    assert trick.endswith("; of 5 runs, 2 diverged (the statistics cover the finished runs only)")


def test_runs_that_stopped_early_are_stated_with_their_epochs(entry):
    base = entry("base", accuracies=BASE, stopped_after=(7, 7, 7, 7, 7))
    trick, single = (
        entry(name, accuracies=BASE[:n], stopped_after=(9, 12, 30)[:n]) for name, n in (("a", 3), ("b", 1))
    )
    about_base, about_trick, about_single = sentences(compare([base, trick, single], "base"))
    assert about_base == "base, the baseline; early stopping ended 5 of 5 runs (trained for 7 epochs)"
    assert about_trick.endswith("; early stopping ended 3 of 3 runs (trained for 9 to 30 epochs)")
    assert about_single.endswith("; early stopping ended 1 of 1 runs (trained for 9 epochs)")


def test_a_spec_that_means_the_same_is_no_rival(entry):
    comparison = compare([entry("a", accuracies=BASE, fingerprint="f" * 12), entry("b", fingerprint="f" * 12)], "a")
    assert sentences(comparison) == ["b has the same fingerprint as a, so they share their runs"]


def test_pairs_state_the_winner(entry):
    entries = [
        entry("a", accuracies=BASE),
        entry("b", accuracies=(0.80, 0.79, 0.81, 0.80, 0.82)),
        entry("c", accuracies=(0.802, 0.795, 0.808, 0.80, 0.82)),
        entry("d", accuracies=(0.9,)),
    ]
    lines = pair_sentences(compare(entries, "a", all_pairs=True))
    assert lines[0] == "b beats a by 9.4 points (7.3 to 11.5), p < 0.001"
    assert lines[2] == "a and d: one run of d can't separate a trick from luck; train more seeds"
    assert lines[3] == "b and c: no significant difference (+0.1 points, p = 0.88)"
    assert len(lines) == 6


def test_a_pair_without_variance_does_not_ask_for_more_seeds(entry):
    comparison = compare([entry("a", accuracies=[0.5] * 5), entry("b", accuracies=[0.6] * 5)], all_pairs=True)
    (line,) = pair_sentences(comparison)
    assert line == "a and b: neither spec varies between seeds, so chance can't be estimated"


def test_with_unequal_runs_the_seeds_needed_are_totals(entry):
    rows = compare([entry("base", accuracies=(*BASE, 0.72, 0.7)), entry("trick", accuracies=(0.71, 0.72, 0.73))])
    needed = rows.rows[1].effect.seeds_needed
    assert f"about {needed} seeds per spec in total to show it" in sentences(rows)[0]


@given(st.floats(0, 1))
def test_a_p_is_never_rounded_across_the_limit(p):
    shown = p_text(p)
    assert re.fullmatch(r"p (= 0\.\d+|< 0\.001|> 0\.99)", shown)
    if shown.startswith("p = "):
        assert (float(shown[4:]) < 0.05) == (p < 0.05)


@given(st.floats(1e-6, 0.5), st.floats(0, 0.5))
def test_an_interval_beside_0_is_never_rounded_to_it(low, width):
    assert float(range_text((low, low + width)).split(" to ")[0]) > 0


def test_points_have_a_sign_where_it_is_asked_for_and_no_minus_zero():
    assert (points(0.0812), points(-0.0812, sign=True), points(0.05, 2, sign=True)) == ("8.1", "-8.1", "+5.00")
    assert points(-0.0001) == "0.0"
