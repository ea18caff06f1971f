"""What is said while training goes on."""

import math

import pytest

from cifar_dsl.cli.progress import EpochProgress
from cifar_dsl.runs import EpochMetrics


def metrics(epoch: int, time_s: float) -> EpochMetrics:
    return EpochMetrics(epoch, 0.1, 2.0, 0.25, 1.5, 0.5, time_s=time_s, evaluation_time_s=0.0)


@pytest.mark.parametrize(
    ("epochs", "first", "second"),
    [
        (2, "10.0 s, 10.0 s left", "5.0 s"),
        (1.5, "10.0 s, 5.0 s left", "5.0 s"),
        (2.25, "10.0 s, 12.5 s left", "5.0 s, 1.9 s left"),
    ],
)
def test_a_part_of_an_epoch_takes_a_part_of_the_time(capsys, epochs, first, second):
    listener = EpochProgress(epochs).listener()
    listener.on_epoch(metrics(1, 10.0))
    listener.on_epoch(metrics(2, 5.0))
    begun = math.ceil(epochs)
    line_1, line_2 = capsys.readouterr().err.splitlines()
    assert line_1.startswith(f"epoch 1/{begun} ")
    assert line_2.startswith(f"epoch 2/{begun} ")
    assert line_1.endswith(f"accuracy 0.5000  {first}")
    assert line_2.endswith(f"accuracy 0.5000  {second}")
