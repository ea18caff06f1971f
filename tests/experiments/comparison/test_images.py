"""Images compared one by one, against figures worked out by hand."""

import numpy as np
import pytest
from attrs import evolve
from helpers.runs import reread, reseal
from helpers.tolerances import FLOAT64
from scipy import stats

from cifar_dsl.experiments.comparison import compare
from cifar_dsl.experiments.comparison.images import SHOWN, SpecPredictions, describe, mcnemar, spec_predictions
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.runs import PREDICTIONS
from cifar_dsl.runs.predictions import write_predictions

CLASSES = ("cat", "dog")


def predictions(
    name: str, *predicted: str, labels: str = "000111", seeds=None, probability: float = 0.5
) -> SpecPredictions:
    rows = np.array([[int(digit) for digit in each] for each in predicted], np.uint8)
    return SpecPredictions(
        name,
        tuple(seeds or range(len(rows))),
        np.array([int(digit) for digit in labels], np.uint8),
        rows,
        np.full(rows.shape, probability),
        CLASSES,
    )


BASE = predictions("base", "001111", "001110", "011111")
OTHER = predictions("other", "000011", "000010", "000111")


def test_fixed_and_broken_go_by_the_majority():
    effect = describe(OTHER, BASE).effect
    assert [each.index for each in effect.first_fixed] == [2]
    assert [each.index for each in effect.first_broken] == [3]
    assert (effect.fixed, effect.broken) == (1, 1)
    (fixed,) = effect.first_fixed
    assert (fixed.label, fixed.said_before, fixed.said_after) == (0, 1, 0)
    assert (fixed.right_before, fixed.right_after) == (0, 3)


def test_mcnemar_counts_changes_and_is_the_exact_test():
    before, after = np.array([1, 1, 0, 0, 0, 0, 0, 1], bool), np.array([1, 0, 1, 1, 1, 1, 0, 1], bool)
    gained, lost, p = mcnemar(before, after)
    assert (gained, lost) == (4, 1)
    assert p == pytest.approx(stats.binomtest(4, 5).pvalue, **FLOAT64)
    assert mcnemar(before, before) == (0, 0, 1.0)


def test_networks_of_one_seed_are_paired():
    effect = describe(predictions("other", "000111", "111000", seeds=(2, 7)), BASE).effect
    assert [(pair.seed_before, pair.seed_after) for pair in effect.pairs] == [(2, 2)]
    assert (effect.pairs[0].gained, effect.pairs[0].lost) == (2, 0)
    apart = describe(predictions("other", "000111", "111000", seeds=(8, 9)), BASE).effect
    assert [(pair.seed_before, pair.seed_after) for pair in apart.pairs] == [(0, 8), (1, 9)]


def test_agreement_is_over_all_pairs():
    described = describe(predictions("other", "000111", "000110"), predictions("base", "000111", "111111"))
    assert described.own_agreement == pytest.approx(5 / 6, **FLOAT64)
    assert described.effect.agreement == pytest.approx(np.mean([6, 3, 5, 2]) / 6, **FLOAT64)
    assert describe(predictions("alone", "000111"), None).own_agreement is None
    assert describe(predictions("alone", "000111"), None).effect is None


def test_the_confusion_matrix_has_a_row_per_true_class():
    described = describe(predictions("base", "011111", "000110"), None)
    assert described.confusion == (
        (pytest.approx(4 / 6, **FLOAT64), pytest.approx(2 / 6, **FLOAT64)),
        (pytest.approx(1 / 6, **FLOAT64), pytest.approx(5 / 6, **FLOAT64)),
    )


def test_gains_of_classes():
    effect = describe(OTHER, BASE).effect
    cats = ((3 + 3 + 3) - (2 + 2 + 1)) / 9
    dogs = ((2 + 1 + 3) - (3 + 2 + 3)) / 9
    assert effect.class_gains == (pytest.approx(cats, **FLOAT64), pytest.approx(dogs, **FLOAT64))


def test_the_clearest_come_first_and_not_all():
    count = 40
    labels = "0" * count
    before = predictions("base", "1" * count, "1" * count, "1" * count, labels=labels)
    half = "0" * (count // 2) + "1" * (count // 2)  # the second half is fixed in two of three networks
    after = predictions("other", "0" * count, "0" * count, half, labels=labels)
    effect = describe(after, before).effect
    assert effect.fixed == count
    assert len(effect.first_fixed) == SHOWN
    assert all(each.index < count // 2 for each in effect.first_fixed)


def test_other_images_are_refused():
    with pytest.raises(RunError, match="of other and base have different images or classes"):
        describe(predictions("other", "000111", labels="111000"), BASE)
    with pytest.raises(RunError, match="different images or classes"):
        describe(evolve(predictions("other", "000111"), classes=("a", "b", "c")), BASE)


@pytest.fixture
def keep():
    def write(run, predicted, labels=(0, 0, 1, 1)) -> None:
        write_predictions(
            run.run.path / PREDICTIONS, labels=labels, predicted=predicted, truth_probability=[0.5] * 4, classes=CLASSES
        )
        reseal(run.run.path)

    return write


def test_runs_without_predictions_and_lost_runs_take_no_part(entry, keep):
    made = entry("base", accuracies=[0.5, None, 0.75, 1.0])
    keep(made.runs[1], [0, 0, 0, 0])
    keep(made.runs[2], [0, 0, 1, 0])
    keep(made.runs[3], [0, 0, 1, 1])
    assert spec_predictions("base", reread(made).runs).seeds == (2, 3)
    assert spec_predictions("base", entry("other", accuracies=[0.5]).runs) is None


def test_runs_of_one_spec_on_other_images_are_refused(entry, keep):
    made = entry("base", accuracies=[0.5, 0.75])
    keep(made.runs[0], [0, 0, 0, 0])
    keep(made.runs[1], [0, 0, 0, 0], labels=(1, 0, 0, 1))
    with pytest.raises(RunError, match="other images or classes than the other runs"):
        spec_predictions("base", reread(made).runs)


def test_a_comparison_uses_the_saved_predictions(entry, keep):
    base, trick, without = (entry(name, accuracies=[0.5, 0.75]) for name in ("base", "trick", "without"))
    for each in (base, trick):
        for run in each.runs:
            keep(run, [0, 0, 1, 0])
    base, trick = reread(base), reread(trick)
    rows = compare([base, trick, without], "base").rows
    assert rows[0].images.effect is None
    assert rows[1].images.effect.agreement == 1
    assert rows[2].images is None
    only = compare([without, trick], "without").rows
    assert only[1].images.effect is None
