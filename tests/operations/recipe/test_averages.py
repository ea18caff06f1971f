"""Which averages go together, and with how long a training."""

import pytest

from cifar_dsl.operations.recipe import AVERAGES
from cifar_dsl.operations.recipe.average import check_averages
from cifar_dsl.operations.registry import MisfitError

EMA, SWA, LOOKAHEAD = AVERAGES["ema"](decay=0.9), AVERAGES["swa"](start=2.0), AVERAGES["lookahead"]()


def test_one_average_is_tested():
    check_averages(())
    check_averages((LOOKAHEAD, EMA))
    with pytest.raises(MisfitError, match="`ema` and `swa` both say which weights are tested"):
        check_averages((EMA, LOOKAHEAD, SWA))


def test_an_average_starts_before_the_end():
    for average in (EMA, SWA, LOOKAHEAD):
        average.check_epochs(2.1)
    for late in (SWA, AVERAGES["ema"](decay=0.9, start=2.0)):
        with pytest.raises(MisfitError, match="would start after 2 epochs, and there are 2"):
            late.check_epochs(2)
