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


def rate_of(average: WeightAverage, step: int) -> float | None:
    return average.rate_after(step) if average.changes_rate else None


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


def timms_decay(step: int, decay: float, power: float) -> float:
    """`ModelEmaV3.get_decay` with `use_warmup`, in timm/utils/model_ema.py; its first update is step 1."""
    step = max(0, step - 1)
    if step <= 0:
        return 0.0
    return max(min(1 - (1 + step / 1.0) ** -power, decay), 0.0)


@pytest.mark.parametrize("rates_on_device", [False, True])
@pytest.mark.parametrize(("power", "every"), [(2 / 3, 1), (0.75, 3)])
def test_the_decay_of_ema_grows_as_timms(module, power, every, rates_on_device):
    average = made("ema", module, decay=0.7, every=every, start=1.0, warmup_power=power)
    theirs, updates = copy.deepcopy(weights(module)), 0
    for step in range(1, 31):
        train(module)
        rate = rate_of(average, step)
        average.after_step(average.update_after(step), torch.tensor(rate) if rates_on_device else rate)
        if step > PLAN.steps and step % every == 0:
            updates += 1
            decay = timms_decay(updates, 0.7, power)
            theirs = [decay * old + (1 - decay) * new for old, new in zip(theirs, weights(module), strict=True)]
    network = average.network()
    assert network is not None
    for ours, expected in zip(weights(network), theirs, strict=True):
        torch.testing.assert_close(ours, expected, **SAME_FORMULA)


class LookaheadState:
    """That of https://github.com/KellerJordan/cifar10-airbench, legacy/airbench94.py."""

    def __init__(self, net):
        self.net_ema = {k: v.clone() for k, v in net.state_dict().items()}

    def update(self, net, decay):
        for ema_param, net_param in zip(self.net_ema.values(), net.state_dict().values(), strict=True):
            if net_param.dtype in (torch.half, torch.float):
                ema_param.lerp_(net_param, 1 - decay)
                net_param.copy_(ema_param)


@pytest.mark.parametrize("rates_on_device", [False, True])
def test_lookahead_with_growth_is_that_of_airbench(module, rates_on_device):
    total = PLAN.steps_until(PLAN.epochs)
    assert total % 5  # so that the last step only resets the weights
    theirs = copy.deepcopy(module)
    arguments = {"rate": 1 - 0.95**5, "growth": 3.0, "statistics": True, "final": "slow"}
    average, lookahead = made("lookahead", module, **arguments), LookaheadState(theirs)
    alpha_schedule = 0.95**5 * (torch.arange(total + 1) / total) ** 3
    for step in range(1, total + 1):
        for network in (module, theirs):
            torch.manual_seed(step)
            train(network)
        rate = rate_of(average, step)
        average.after_step(average.update_after(step), torch.tensor(rate) if rates_on_device else rate)
        if step % 5 == 0:
            lookahead.update(theirs, decay=alpha_schedule[step].item())
        if step >= total:
            lookahead.update(theirs, decay=1.0)
        for ours, expected in zip(module.state_dict().values(), theirs.state_dict().values(), strict=True):
            torch.testing.assert_close(ours, expected, **SAME_FORMULA)


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
