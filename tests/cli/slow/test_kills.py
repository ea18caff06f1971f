"""A comparison whose processes are all killed goes on to the same table."""

import os

import pytest
from helpers.comparisons import killed_comparison


@pytest.mark.skipif(os.name != "posix", reason="groups of processes")
def test_a_comparison_that_is_killed_ends_with_the_same_table(tmp_path, full):
    trial = killed_comparison(tmp_path, kills=5 if full else 1, seed=3)
    assert trial.midway > 0
    assert len(trial.expected["weights"]) == 4
    assert trial.found == trial.expected
