"""cuDNN times its algorithms where that pays for itself; no GPU is needed to see what is asked of it."""

import pytest
import torch
from helpers.training import CPU

from cifar_dsl.training.convolutions import tuned_convolutions

GPU = torch.device("cuda")


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(("steps", "is_tuned"), [(999, False), (1000, True)])
def test_long_trainings_time_algorithms_whatever_was_set_before(monkeypatch, before, steps, is_tuned):
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "benchmark", before)
    with tuned_convolutions(GPU, steps):
        assert cudnn.benchmark == is_tuned
    assert cudnn.benchmark == before
    with tuned_convolutions(CPU, steps):
        assert cudnn.benchmark == before
