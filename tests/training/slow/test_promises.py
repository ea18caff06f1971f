"""The promises about training and runs, tried at many moments; bench/promises.py tries more."""

from pathlib import Path

import pytest
from helpers import reliability
from helpers.reliability import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.made(tmp_path)


def test_a_crash_loses_at_most_the_running_epoch(place):
    figure = reliability.kills(place, 8)
    assert (figure.trials, figure.broken) == (8, 0)


def test_a_failing_disk_loses_nothing(place):
    figure = reliability.disk_failures(place, every=6)
    assert figure.trials > 10
    assert figure.broken == 0


def test_a_sweep_on_a_full_disk_goes_on_when_there_is_space(place):
    figure = reliability.full_disks(place, every=40)
    assert figure.trials > 2
    assert figure.broken == 0


def test_a_training_stopped_at_any_step_resumes_to_the_same_result(place):
    assert reliability.resumptions(place).broken == 0
