"""Comparisons until decided: verdicts follow from intervals, never change back, and are rarely false."""

from itertools import pairwise

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from cifar_dsl.experiments.comparison.effects import Sample
from cifar_dsl.experiments.comparison.sequential import Design, effect, forecast, interval, next_round, nominal_levels
from cifar_dsl.foundation.errors import UserError

DESIGN = Design(2, cap=6)


def draw(seed: int, n: int, mean: float = 0.7, spread: float = 0.01) -> Sample:
    return Sample(tuple(np.random.default_rng(seed).normal(mean, spread, n)))


def first(sample: Sample, n: int) -> Sample:
    return Sample(sample.accuracies[:n], sample.lost)


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.01, 0.05]), st.sampled_from([None, 0.02]))
def test_intervals_never_get_wider_and_claims_never_change(seed, shift, margin):
    design = evolve(DESIGN, margin=margin)
    base, other = draw(seed, 6), draw(seed + 1, 6, 0.7 + shift)
    ends, said = [], []
    for n in range(3, 7):
        found = effect(design, first(base, n), first(other, n))
        assert found is not None
        said.append(found.verdict)
        if found.simultaneous is not None:
            low, high = found.simultaneous
            ends.append((low, high))
            assert (found.verdict == "better") == (low > 0)
            assert (found.verdict == "worse") == (high < 0)
    assert all(a[0] <= b[0] and b[1] <= a[1] for a, b in pairwise(ends))
    claims = [verdict for verdict in said if verdict in {"better", "worse"}]
    assert claims == said[len(said) - len(claims) :] or not ends
    assert len(set(claims)) <= 1


def test_a_large_difference_is_decided_with_three_seeds_and_trained_no_further():
    base, good, same = draw(1, 3), draw(2, 3, 0.95), draw(3, 3)
    found = effect(DESIGN, base, good)
    assert found is not None
    assert found.verdict == "better"
    assert next_round(DESIGN, base, {"good": good, "same": same}) == {"same": 1, None: 1}
    assert next_round(DESIGN, base, {"good": good}) == {}


def test_each_spec_gets_three_seeds_at_once_and_then_one_at_a_time():
    assert next_round(DESIGN, Sample(()), {"a": Sample(()), "b": draw(1, 2)}) == {"a": 3, "b": 1, None: 3}


def test_a_spec_that_always_diverges_is_not_trained_for_ever():
    assert next_round(DESIGN, draw(1, 3), {"wild": Sample((), lost=6)}) == {}


def test_equivalence_is_claimed_only_with_a_margin():
    base, same = draw(1, 6, spread=0.001), draw(2, 6, spread=0.001)
    verdicts = [effect(evolve(DESIGN, margin=margin), base, same).verdict for margin in (None, 0.05)]
    assert verdicts == ["undecided", "equivalent"]


def test_what_will_hardly_be_decided_is_given_up():
    """With the cap near and no difference in sight."""
    base = Sample((0.70, 0.71, 0.69, 0.72, 0.68))
    assert effect(DESIGN, base, base).verdict == "given up"
    seeds, chance = forecast(DESIGN, base, base)
    assert 0 < seeds <= 1
    assert chance < 0.3


def test_runs_beyond_the_cap_do_not_count():
    base, other = draw(1, 9), draw(2, 9, 0.71)
    six = [sample.accuracies[:6] for sample in (base, other)]
    assert interval(DESIGN, base.accuracies, other.accuracies) == interval(DESIGN, *six)


def test_specs_that_do_not_scatter_stay_open():
    base = Sample((0.5, 0.5, 0.5))
    assert effect(DESIGN, base, base).verdict == "open"


def test_levels_spend_alpha_as_the_square_of_the_seeds():
    """Against normal data: the share that exceeds a level at any look."""
    levels = nominal_levels(range(3, 7), 0.05)
    data = np.random.default_rng(0).normal(size=(100_000, 6)).cumsum(axis=1)[:, 2:] / np.sqrt(np.arange(3, 7))
    exceeded = 2 * special.ndtr(-np.abs(data)) <= levels
    shares = np.maximum.accumulate(exceeded, axis=1).mean(axis=0)
    # A share of 100,000 draws has a standard deviation of up to 0.0007.
    assert shares == pytest.approx(0.05 * (np.arange(3, 7) / 6) ** 2, abs=0.003)


def test_equal_specs_are_rarely_called_different_at_any_look():
    rng = np.random.default_rng(7)
    claims = 0
    for _ in range(150):
        base, *others = (Sample(tuple(scale * rng.normal(size=6))) for scale in (1, 4, 4))
        bounds = [interval(DESIGN, base.accuracies, other.accuracies) for other in others]
        claims += any(found is None or found[0] > 0 or found[1] < 0 for found in bounds)
    assert claims <= 8  # 5 % are 7.5


@pytest.mark.parametrize(
    ("specs", "cap", "margin"), [(51, 6, None), (0, 6, None), (1, 3, None), (1, 31, None), (1, 6, 2.0)]
)
def test_what_is_not_calibrated_is_refused(specs, cap, margin):
    with pytest.raises(UserError):
        Design(specs, cap, margin)


def test_another_alpha_is_refused():
    with pytest.raises(UserError, match="calibrated"):
        Design(1, 6, alpha=0.01)
