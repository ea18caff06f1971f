"""What a comparison computes, against figures worked out by hand."""

from xml.etree import ElementTree

import pytest
from attrs import evolve
from helpers.tolerances import FLOAT64
from scipy import stats

from cifar_dsl.experiments.comparison import ComparedSpec, Comparison, check_baseline, compare
from cifar_dsl.experiments.comparison.charts import learning_curve, overlay
from cifar_dsl.experiments.comparison.curves import by_epoch
from cifar_dsl.experiments.comparison.readable import read_failed
from cifar_dsl.experiments.comparison.unequal_spreads import size
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.runs import METRICS


def names(comparison: Comparison) -> list[str]:
    return [row.name for row in comparison.rows]


def test_mean_deviation_and_difference(entry):
    comparison = compare([entry("base", accuracies=[0.5, 0.7]), entry("trick", accuracies=[0.7, 0.8, 0.9])])
    base, trick = comparison.rows
    assert (base.mean, base.effect) == (pytest.approx(0.6, **FLOAT64), None)
    assert base.deviation == pytest.approx(0.1 * 2**0.5, **FLOAT64)  # divided by n - 1
    assert (trick.mean, trick.deviation) == (pytest.approx(0.8, **FLOAT64), pytest.approx(0.1, **FLOAT64))
    assert trick.effect.difference == pytest.approx(0.2, **FLOAT64)
    assert (trick.seeds, trick.accuracies) == ((0, 1, 2), (0.7, 0.8, 0.9))


def test_gain_is_difference_for_each_added_parameter(entry):
    base = entry("base", parameters=1000, accuracies=[0.5])
    larger, same, smaller = (entry(f"with_{n}", parameters=n, accuracies=[0.6]) for n in (1500, 1000, 900))
    rows = compare([base, larger, same, smaller]).rows
    assert [row.gain_per_parameter for row in rows] == [None, pytest.approx(0.1 / 500, **FLOAT64), None, None]
    worse = compare([base, entry("worse", parameters=1100, accuracies=[0.4])]).rows[1]
    assert worse.gain_per_parameter == pytest.approx(-0.1 / 100, **FLOAT64)


def test_only_unclear_verdicts_have_seeds_needed(entry):
    rows = compare(
        [
            entry("base", accuracies=[0.70, 0.71, 0.72, 0.69, 0.73]),
            entry("clear", accuracies=[0.80, 0.81, 0.82, 0.79, 0.83]),
            entry("vague", accuracies=[0.71, 0.72, 0.71, 0.70, 0.74]),
        ]
    ).rows
    assert [row.effect and row.effect.verdict for row in rows] == [None, "better", "unclear"]
    assert rows[1].effect.seeds_needed is None
    assert rows[2].effect.seeds_needed > 5


def test_a_spec_that_means_the_same_as_the_baseline_is_not_tested(entry):
    same = {"accuracies": [0.5, 0.7], "fingerprint": "f" * 12}
    rows = compare([entry("base", **same), entry("twin", **same), entry("trick", accuracies=[0.8, 0.9])]).rows
    assert rows[1].effect is None
    assert rows[2].effect.p_adjusted == pytest.approx(rows[2].effect.p, **FLOAT64)  # one comparison, not two


def test_specs_of_one_meaning_count_once(entry):
    def found(*twins: str):
        same = {"accuracies": [0.8, 0.82, 0.85], "fingerprint": "f" * 12}
        others = [entry("other", accuracies=[0.71, 0.7, 0.73]), *(entry(name, **same) for name in twins)]
        return compare([entry("base", accuracies=[0.7, 0.71, 0.72]), *others], "base", all_pairs=True)

    once, twice = found("a"), found("a", "b")
    assert twice.rows[2].effect == twice.rows[3].effect == once.rows[2].effect
    adjusted = {pair.first: pair.p_adjusted for pair in once.pairs if pair.second == "a"}
    for twin in "ab":
        assert {pair.first: pair.p_adjusted for pair in twice.pairs if pair.second == twin} == adjusted
    assert len(twice.pairs) == 5  # not the twins


def test_specs_of_one_name_are_refused(entry):
    with pytest.raises(RunError, match="2 specs are named a"):
        compare([entry("a", accuracies=[0.5]), entry("a", fingerprint="f" * 12)])


def test_pairs_are_complete_and_adjusted_for_all(entry):
    entries = [entry(name, accuracies=[at, at + 0.01, at - 0.01]) for name, at in (("a", 0.5), ("b", 0.6), ("c", 0.61))]
    assert compare(entries).pairs == ()
    pairs = compare(entries, all_pairs=True).pairs
    assert [(pair.first, pair.second, pair.verdict) for pair in pairs] == [
        ("a", "b", "better"),
        ("a", "c", "better"),
        ("b", "c", "unclear"),
    ]
    nominal = [stats.ttest_ind([d + 0.01, d, d - 0.01], [0.01, 0, -0.01]).pvalue for d in (0.1, 0.11, 0.01)]
    alone = [size(p, 3, 3) for p in nominal]
    assert pairs[1].p_adjusted == pairs[0].p_adjusted == pytest.approx(3 * alone[1], **FLOAT64)  # 2 * alone[0] is less
    assert pairs[2].p_adjusted == pytest.approx(alone[2], **FLOAT64)


def test_one_run_has_no_deviation(entry):
    assert compare([entry("base", accuracies=[0.5])]).rows[0].deviation is None


def test_runs_that_diverged_are_counted_and_not_averaged(entry):
    rows = compare([entry("base", accuracies=[0.5, None, 0.7]), entry("wild", accuracies=[None])]).rows
    assert (rows[0].mean, rows[0].diverged, rows[0].seeds) == (pytest.approx(0.6, **FLOAT64), 1, (0, 2))
    assert (rows[1].mean, rows[1].diverged, rows[1].effect) == (None, 1, None)


def test_failed_runs_count_unless_their_seed_was_completed_later(entry):
    entries = [entry("base", accuracies=[0.5, 0.7], failed=[1, 2]), entry("broken", failed=[0])]
    rows = compare(entries).rows
    assert (rows[0].mean, rows[0].failed, rows[0].lost) == (pytest.approx(0.6, **FLOAT64), 1, 1)
    assert (rows[1].mean, rows[1].failed, rows[1].effect) == (None, 1, None)
    assert rows[1].curve.lost == ((0.3,),)


def test_a_learning_curve_has_the_epochs_that_all_runs_have_evaluated(entry):
    curves = [[0.1, None, 0.3, 0.4], [0.3, 0.2, 0.5, None, 0.9]]
    curve = compare([entry("base", accuracies=[0.4, 0.9], curves=curves)]).rows[0].curve
    assert curve.mean == (pytest.approx(0.2, **FLOAT64), None, pytest.approx(0.4, **FLOAT64))
    assert (curve.low, curve.high) == ((0.1, None, 0.3), (0.3, None, 0.5))
    assert by_epoch(curve.low, curve.first) == [(1, 0.1), (3, 0.3)]
    assert curve.train == pytest.approx((0.1, 0.2, 0.3, 0.4), **FLOAT64)


def test_charts_skip_epochs_without_an_evaluation(entry):
    rare = entry("rare", accuracies=[0.7], curves=[[None, 0.4, None, 0.7]])
    never = entry("never", accuracies=[None], curves=[[None, None]])
    comparison = compare([rare, never])
    drawn = ElementTree.fromstring(str(overlay(comparison)))
    (line,) = [each for each in drawn.iter() if each.get("class") == "series series-0"]
    assert len(line.get("points").split()) == 2
    assert drawn.get("data-first") == "2"
    own = ElementTree.fromstring(str(learning_curve(comparison.rows[0], comparison.rows[0], comparison.rows)))
    assert {each.get("class"): len(each.get("points").split()) for each in own.iter() if each.get("points")} == {
        "band": 4,
        "curve train": 4,
        "curve": 2,
    }
    lost = str(learning_curve(comparison.rows[1], comparison.rows[0], comparison.rows))
    assert "no run finished; 1 lost" in lost


def test_a_run_that_failed_on_other_data_is_not_counted(entry):
    entries = [entry("base", accuracies=[0.5]), entry("broken", failed=[0], digest="cd" * 32)]
    assert [row.failed for row in compare(entries).rows] == [0, 0]


def test_a_run_that_failed_while_writing_an_epoch_has_no_curve(entry):
    broken = entry("broken", failed=[0])
    (failed,) = broken.failed
    (failed.run.path / METRICS).write_text('{"epoch": 1')
    (row,) = compare([evolve(broken, failed=[read_failed(failed.run)])]).rows
    assert (row.failed, row.curve.lost) == (1, ())


def test_without_a_run_of_the_baseline_there_is_no_difference(entry):
    rows = compare([entry("base"), entry("trick", accuracies=[0.7])], "base").rows
    assert [row.effect for row in rows] == [None, None]
    assert rows[1].mean == 0.7


def test_time_is_the_mean_of_a_run(entry):
    assert compare([entry("base", accuracies=[0.5, 0.6], times=[10.0, 30.0])]).rows[0].time_s == 20


def test_the_baseline_is_the_spec_that_most_others_extend_and_comes_first(entry):
    entries = [
        entry("a", lineage=("a", "base")),
        entry("b", lineage=("b", "a", "base")),
        entry("base"),
        entry("c", lineage=("c", "a", "base")),
    ]
    assert compare(entries).baseline == "base"
    assert names(compare(entries)) == ["base", "a", "b", "c"]
    assert names(compare(entries, "c")) == ["c", "a", "b", "base"]


def test_without_a_common_base_the_first_is_the_baseline(entry):
    assert compare([entry("z"), entry("a")]).baseline == "z"


def test_an_unknown_baseline_is_refused_with_the_names(entry):
    with pytest.raises(RunError, match="the baseline c is not among") as caught:
        compare([entry("a"), entry("b")], "c")
    assert caught.value.help == ("choose one of a, b",)
    check_baseline(["a", "b"], None)
    check_baseline(["a", "b"], "b")


def test_runs_on_different_data_are_refused(entry):
    entries: list[ComparedSpec] = [entry("a", accuracies=[0.5]), entry("b", accuracies=[0.5], digest="cd" * 32)]
    with pytest.raises(RunError, match=r"different datasets: .*abababababab.*cdcdcdcdcdcd"):
        compare(entries)


def test_devices_are_listed_once_each(entry):
    entries = [entry("a", accuracies=[0.5, 0.6]), entry("b", accuracies=[0.5], device="another")]
    assert compare(entries).devices == ("a processor", "another")
    assert compare([entry("a")]).devices == ()


def test_a_seed_that_was_trained_under_two_names_counts_once(entry):
    runs = [run for name in ("a", "b") for run in entry(name, accuracies=[0.5, 0.7]).runs]
    twice = ComparedSpec("a", runs[0].record.spec, 1000, 2000, tuple(runs))
    (row,) = compare([twice]).rows
    assert (row.seeds, row.accuracies) == ((0, 1), (0.5, 0.7))


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (None, ["base", "s10", "s2", "none"]),
        ("name", ["base", "none", "s2", "s10"]),
        ("effect", ["base", "s10", "s2", "none"]),
        ("parameters", ["base", "s2", "none", "s10"]),
    ],
)
def test_rows_are_sorted_after_the_baseline(entry, sort, expected):
    entries = [
        entry("base", accuracies=[0.5, 0.6], parameters=5),
        entry("s10", accuracies=[0.9, 0.8], parameters=4),
        entry("s2", accuracies=[0.7, 0.8], parameters=1),
        entry("none", parameters=2),
    ]
    assert names(compare(entries, "base", sort=sort)) == expected
