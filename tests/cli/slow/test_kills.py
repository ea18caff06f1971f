"""A sweep whose processes are killed goes on to the same table, and so does a comparison, in which it ends."""

import os

import pytest
from helpers.comparisons import killed_comparison

FULL, SHORT = {"kills": 6, "epochs": 60}, {"kills": 1, "epochs": 16}


@pytest.mark.skipif(os.name != "posix", reason="groups of processes")
def test_a_sweep_that_is_killed_ends_with_the_same_table(tmp_path, full):
    trial = killed_comparison(tmp_path, **FULL if full else SHORT, seed=3, command="sweep")
    assert trial.midway > 0
    assert trial.retrained == 0
    assert len(trial.expected["weights"]) == 4
    assert trial.found == trial.expected
