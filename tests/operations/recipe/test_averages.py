"""Which averages can be combined, and when they must start."""

import pytest

from cifar_dsl.operations.recipe import AVERAGES
from cifar_dsl.operations.recipe.average import check_averages
from cifar_dsl.operations.registry import MisfitError

EMA, SWA, LOOKAHEAD = AVERAGES["ema"](decay=0.9), AVERAGES["swa"](start=2.0), AVERAGES["lookahead"]()


def test_at_most_one_average_is_evaluated():
    check_averages(())
    check_averages((LOOKAHEAD, EMA))
    with pytest.raises(MisfitError, match="`ema` and `swa` both set the weights that are evaluated"):
        check_averages((EMA, LOOKAHEAD, SWA))


def test_an_average_must_start_before_the_end():
    for average in (EMA, SWA, LOOKAHEAD):
        average.check_epochs(2.1)
    for late in (SWA, AVERAGES["ema"](decay=0.9, start=2.0)):
        with pytest.raises(MisfitError, match="starts after 2 epochs, but training ends after 2"):
            late.check_epochs(2)
