"""Averages of weights, against torch's AveragedModel and against the formulas."""

import copy

import pytest
import torch
from helpers.pictures import images
from helpers.tolerances import SAME_FORMULA, sums
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cifar_dsl.operations.recipe import AVERAGES
from cifar_dsl.training.averages import WeightAverage, make_average
from cifar_dsl.training.plan import Plan

PLAN = Plan(images=40, batch=10, epochs=3)


@pytest.fixture
def module() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(80, 10))


def made(name: str, module: nn.Module, **arguments: object) -> WeightAverage:
    return make_average(AVERAGES[name](**arguments), module, PLAN, images())


@torch.no_grad()
def train(module: nn.Module) -> None:
    """Change weights and running statistics."""
    for parameter in module.parameters():
        parameter.add_(torch.randn_like(parameter))
    module.train()
    module(images().batch(torch.arange(10)))


def weights(module: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach() for parameter in module.parameters()]


def test_every_declared_average_is_made(module):
    required = {"ema": {"decay": 0.9}, "swa": {"start": 0.0}, "lookahead": {}}
    assert set(required) == set(AVERAGES)
    for name, arguments in required.items():
        assert (made(name, module, **arguments).network() is None) is True  # nothing was averaged yet


@pytest.mark.parametrize(("every", "start"), [(1, 0.0), (3, 0.0), (1, 1.0), (2, 1.25)])
def test_ema_equals_torchs(module, every, start):
    average = made("ema", module, decay=0.8, every=every, start=start)
    theirs = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(0.8))
    for step in range(1, 13):
        train(module)
        average.after_step(average.update_after(step))
        if step > start * PLAN.steps and step % every == 0:
            theirs.update_parameters(module)
        network = average.network()
        assert (network is None) == (theirs.n_averaged == 0)
        if network is not None:
            for ours, expected in zip(weights(network), weights(theirs.module), strict=True):
                torch.testing.assert_close(ours, expected, **SAME_FORMULA)
            for ours, live in zip(network.buffers(), module.buffers(), strict=True):
                assert torch.equal(ours, live)
    assert network is not module


def test_swa_is_the_mean_over_ends_of_epochs_with_its_own_statistics(module):
    average = made("swa", module, start=1.0)
    ends = []
    for epoch in (1, 2, 3):
        train(module)
        average.after_epoch(epoch)
        ends.append([weight.clone() for weight in weights(module)])
    live = copy.deepcopy(module.state_dict())
    network = average.network()
    assert network is not None
    for ours, second, third in zip(weights(network), *ends[1:], strict=True):
        torch.testing.assert_close(ours, (second + third) / 2, **SAME_FORMULA)
    convolved = network[0](images().batch(torch.arange(40)))
    means = convolved.mean((0, 2, 3))
    torch.testing.assert_close(network[1].running_mean, means, **sums(means))
    assert all(torch.equal(tensor, live[name]) for name, tensor in module.state_dict().items())


def test_swa_begins_after_its_start(module):
    average = made("swa", module, start=1.5)
    average.after_epoch(1)
    assert average.network() is None
    average.after_epoch(2)
    assert average.network() is not None


def test_lookahead_moves_slow_weights_by_its_rate(module):
    slow = [weight.clone() for weight in weights(module)]
    average = made("lookahead", module, every=2, rate=0.25)
    for step in range(1, 7):
        train(module)
        before = [weight.clone() for weight in weights(module)]
        average.after_step(average.update_after(step))
        if step % 2 == 0:
            slow = [0.75 * old + 0.25 * fast for old, fast in zip(slow, before, strict=True)]
        for ours, expected in zip(weights(module), before if step % 2 else slow, strict=True):
            torch.testing.assert_close(ours, expected, **SAME_FORMULA)
    assert average.network() is None


def test_lookahead_leaves_weights_alone_that_are_no_longer_trained(module):
    average = made("lookahead", module, every=2, rate=0.25)
    train(module)
    ended = list(module[3].parameters())
    for parameter in ended:
        parameter.requires_grad_(False)
    before = [weight.clone() for weight in weights(module)]
    average.after_step(average.update_after(2))
    moved = [not torch.equal(now, then) for now, then in zip(weights(module), before, strict=True)]
    assert moved == [parameter.requires_grad for parameter in module.parameters()]


def test_lookahead_without_trained_weights_does_nothing(module):
    average = made("lookahead", module)
    module.requires_grad_(False)
    before = [weight.clone() for weight in weights(module)]
    average.after_step(average.update_after(5))
    assert all(map(torch.equal, weights(module), before))
