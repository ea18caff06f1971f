"""Early stopping follows the rule of Keras."""

import numpy as np
import pytest

from cifar_dsl.operations.recipe import EARLY_STOPPINGS


def stopped_by_keras(values: list[float], *, patience: int, delta: float, sign: int) -> int:
    """The epochs after which `EarlyStopping` of keras/src/callbacks/early_stopping.py stops a training."""
    monitor_op = np.less if sign < 0 else np.greater
    min_delta = delta * (1 if monitor_op == np.greater else -1)
    wait, best = 0, None
    for epoch, current in enumerate(values):
        if best is None:
            best = current
            continue
        wait += 1
        if monitor_op(current - min_delta, best):
            best = current
            wait = 0
            continue
        if wait >= patience and epoch > 0:
            return epoch + 1
    return len(values)


@pytest.mark.parametrize("delta", [0.0, 0.125])
@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize(("name", "sign"), [("accuracy", 1), ("loss", -1)])
def test_the_rule_is_that_of_keras(name, sign, patience, delta):
    stopping = EARLY_STOPPINGS[name](patience=patience, delta=delta)
    for seed in range(40):
        # Eighths are exact, so that a difference of just `delta` occurs.
        values = (np.random.default_rng(seed).integers(0, 9, 30) / 8).tolist()
        ours = next((n for n in range(1, 31) if stopping.is_over(values[:n])), 30)
        assert ours == stopped_by_keras(values, patience=patience, delta=delta, sign=sign)
        assert ours >= min(30, stopping.shortest)


def test_no_training_is_over_before_its_first_epoch():
    assert not EARLY_STOPPINGS["loss"](patience=1).is_over([])
    assert not EARLY_STOPPINGS["none"]().is_over([1.0, 2.0])
