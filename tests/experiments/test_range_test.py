"""What is read from the curve of a range test, and its plots."""

import math
import re

import numpy as np
import pytest

from cifar_dsl.experiments.range_test import read_curve
from cifar_dsl.experiments.range_test_charts import as_svg, as_text, rate_text

RATES = tuple(np.geomspace(1e-5, 1, 200).tolist())


def curve(lowest: float, noise: float, depth: float = 1.0) -> tuple[float, ...]:
    """A loss of 2.3 that falls by `depth` until `lowest`, and rises after it."""
    at = np.log10(np.asarray(RATES)) - math.log10(lowest)
    values = 2.3 - depth * np.exp(-0.5 * (at / np.where(at < 0, 1.0, 0.4)) ** 2)
    return tuple((values + noise * np.random.default_rng(0).standard_normal(len(values))).tolist())


@pytest.mark.parametrize("lowest", [1e-3, 1e-2, 0.1])
@pytest.mark.parametrize("noise", [0.001, 0.05])
def test_the_suggestion_is_a_tenth_of_the_rate_with_the_lowest_loss(lowest, noise):
    reading = read_curve(RATES, curve(lowest, noise), ended="complete")
    assert lowest / 20 < reading.suggestion < lowest / 5
    low, high = reading.interval
    assert low <= reading.lowest / 10 <= high
    assert not reading.at_end


def test_more_noise_makes_more_rates_plausible():
    def width(noise: float) -> float:
        low, high = read_curve(RATES, curve(1e-2, noise), ended="complete").interval
        return high / low

    assert width(0.05) > 2 * width(0.001)


@pytest.mark.parametrize("losses", [curve(1e-2, 0.1, depth=0.0), curve(1e-2, 0.1, depth=0.05)])
def test_a_loss_that_falls_no_more_than_its_noise_has_no_suggestion(losses):
    reading = read_curve(RATES, losses, ended="complete")
    assert (reading.suggestion, reading.interval) == (None, None)
    assert "noise" in reading.obstacle


def test_a_loss_that_only_rises_has_no_suggestion():
    assert read_curve(RATES, tuple(np.linspace(1, 2, 200)), ended="diverged").suggestion is None


def test_few_steps_are_no_curve():
    assert "only 5 steps" in read_curve(RATES[:5], (2.0,) * 5, ended="stopped").obstacle


def test_a_loss_that_still_falls_asks_for_higher_rates():
    falling = tuple(np.linspace(2.3, 1, 200))
    assert read_curve(RATES, falling, ended="complete").at_end
    assert not read_curve(RATES, falling, ended="diverged").at_end


@pytest.mark.parametrize("is_plain", [False, True])
@pytest.mark.parametrize("width", [20, 40, 80, 300])
def test_a_plot_fits_its_terminal(width, is_plain):
    losses = curve(1e-2, 0.05)
    reading = read_curve(RATES, losses, ended="complete")
    lines = as_text(RATES, losses, reading, width, is_plain=is_plain)
    assert max(map(len, lines)) <= max(width, 30)
    assert "1e-5" in lines[-2]
    assert "".join(lines).isascii() == is_plain


def test_a_picture_shows_the_steps_and_the_suggestion():
    losses = curve(1e-2, 0.05)
    reading = read_curve(RATES, losses, ended="complete")
    svg = as_svg("a <title>", RATES, losses, reading)
    assert "a &lt;title&gt;" in svg
    assert f"suggestion {rate_text(reading.suggestion)}" in svg
    assert len(re.findall("<circle", svg)) > 190


def test_rates_are_written_as_a_spec_has_them():
    assert [rate_text(rate) for rate in (0.1, 0.05, 1e-3, 3.2e-4, 1e-6, 12)] == [
        "0.1",
        "0.05",
        "0.001",
        "3.2e-4",
        "1e-6",
        "12",
    ]
