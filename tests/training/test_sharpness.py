"""Sharpness-aware minimization equals its published code, with everything else that a step can do."""

import numpy as np
import pytest
import torch
from helpers.tolerances import FLOAT32, SAME_FORMULA, TRAINED
from helpers.training import CPU, fitted, meaning
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cifar_dsl.training import draws
from cifar_dsl.training.images import load_images
from cifar_dsl.training.lowering.torch_module import build_module
from cifar_dsl.training.sharpness import Sam

COUNT, BATCH, EPOCHS = 50, 16, 2  # the last batch holds 2 images

SPEC = """
arch small
input 3x8x8
model {
    conv(4, 3, bias=false) -> bn -> relu
    conv(6, 3, stride=2) -> relu
    flatten
    dense(10)
}
train {
    data npz("00")
    normalize signed
    epochs 2
    batch 16
    optimizer sgd(lr=0.05, momentum=0.9)
}
"""


def pictures(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    random_numbers = np.random.default_rng(seed)
    return random_numbers.integers(0, 256, (count, 8, 8, 3), np.uint8), random_numbers.integers(0, 10, count)


TRAIN, TEST = pictures(0, COUNT), pictures(1, 30)


def train(*overrides: str, text: str = SPEC):
    graph, recipe = meaning(text, overrides)
    return fitted(graph, recipe, load_images(recipe, TRAIN, TEST, CPU))[0]


class PublishedSam(torch.optim.Optimizer):
    """sam.py of https://github.com/davda54/sam, without what it doesn't call here."""

    def __init__(self, params, base_optimizer, rho=0.05, adaptive=False, **kwargs):
        defaults = dict(rho=rho, adaptive=adaptive, **kwargs)
        super().__init__(params, defaults)
        self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
        self.param_groups = self.base_optimizer.param_groups
        self.defaults.update(self.base_optimizer.defaults)

    @torch.no_grad()
    def first_step(self, zero_grad=False):
        grad_norm = self._grad_norm()
        for group in self.param_groups:
            scale = group["rho"] / (grad_norm + 1e-12)
            for p in group["params"]:
                if p.grad is None:
                    continue
                self.state[p]["old_p"] = p.data.clone()
                e_w = (torch.pow(p, 2) if group["adaptive"] else 1.0) * p.grad * scale.to(p)
                p.add_(e_w)
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def second_step(self, zero_grad=False):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.data = self.state[p]["old_p"]
        self.base_optimizer.step()
        if zero_grad:
            self.zero_grad()

    def _grad_norm(self):
        shared_device = self.param_groups[0]["params"][0].device
        return torch.norm(
            torch.stack(
                [
                    ((torch.abs(p) if group["adaptive"] else 1.0) * p.grad).norm(p=2).to(shared_device)
                    for group in self.param_groups
                    for p in group["params"]
                    if p.grad is not None
                ]
            ),
            p=2,
        )


def disable_running_stats(module: nn.Module) -> None:
    if isinstance(module, _BatchNorm):
        module.backup_momentum = module.momentum
        module.momentum = 0


def enable_running_stats(module: nn.Module) -> None:
    if isinstance(module, _BatchNorm) and hasattr(module, "backup_momentum"):
        module.momentum = module.backup_momentum


def published(*, clip: float | None = None, **arguments: object) -> dict[str, torch.Tensor]:
    """The weights after the loop of the published example."""
    module = build_module(meaning(SPEC)[0], "small", seed=0)
    module.to(memory_format=torch.channels_last)
    x = torch.from_numpy(TRAIN[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
    y = torch.from_numpy(TRAIN[1])
    optimizer = PublishedSam(module.parameters(), torch.optim.SGD, lr=0.05, momentum=0.9, **arguments)
    for epoch in range(EPOCHS):
        for index in draws.permutation(0, epoch + 1, COUNT).split(BATCH):
            module.apply(enable_running_stats)
            nn.functional.cross_entropy(module(x[index]), y[index]).backward()
            optimizer.first_step(zero_grad=True)
            module.apply(disable_running_stats)
            nn.functional.cross_entropy(module(x[index]), y[index]).backward()
            if clip:
                nn.utils.clip_grad_norm_(module.parameters(), clip)
            optimizer.second_step(zero_grad=True)
    # The published code counts batches in both passes; nothing reads the count.
    return {name: tensor for name, tensor in module.state_dict().items() if "num_batches" not in name}


@pytest.mark.parametrize(
    ("overrides", "arguments"),
    [
        (("train.perturb=sam",), {}),
        (("train.perturb=sam(rho=0.5)",), {"rho": 0.5}),
        (("train.perturb=sam(rho=2, adaptive=true)",), {"rho": 2.0, "adaptive": True}),
        (("train.perturb=sam(rho=0.5)", "train.clip=norm(0.5)"), {"rho": 0.5, "clip": 0.5}),
    ],
    ids=["by default", "rho", "adaptive", "clipped"],
)
def test_training_equals_the_published_code(overrides, arguments):
    expected = published(**arguments)
    weights = train(*overrides).weights
    torch.testing.assert_close({name: weights[name] for name in expected}, expected, **TRAINED)
    assert weights["bn.num_batches_tracked"] == EPOCHS * 4  # one count a step
    plain = train().weights
    with pytest.raises(AssertionError):  # else the comparison might hold whatever the setting does
        torch.testing.assert_close({name: plain[name] for name in expected}, expected, **TRAINED)


def test_metrics_are_those_of_the_first_pass():
    plain, perturbed = (train("train.optimizer.lr=1e-9", *more).metrics for more in ((), ("train.perturb=sam",)))
    assert [epoch.train_accuracy for epoch in plain] == [epoch.train_accuracy for epoch in perturbed]
    assert plain[0].train_loss == pytest.approx(perturbed[0].train_loss, **FLOAT32)


def test_accumulated_gradients_decide_about_both_moves():
    # Without batch norm, whose statistics are those of each batch.
    text = SPEC.replace("conv(4, 3, bias=false) -> bn", "conv(4, 3)")
    parts = train("train.perturb=sam(rho=0.5)", "train.batch=8", "train.accumulate=2", text=text)
    whole = train("train.perturb=sam(rho=0.5)", text=text)
    for name, expected in whole.weights.items():
        torch.testing.assert_close(parts.weights[name], expected, **TRAINED)


def test_the_step_leaves_nothing_but_new_gradients():
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    x = torch.linspace(-1, 1, 24).view(8, 3)
    module(x).square().sum().backward()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with Sam(rho=0.5, adaptive=False).perturbed(module, list(module.parameters())):
        moved = torch.cat([(p - before[name]).flatten() for name, p in module.named_parameters()])
        torch.testing.assert_close(moved.norm(), torch.tensor(0.5), **SAME_FORMULA)
        module(x)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("scale", [2.0**-6, 2.0**16])
def test_the_loss_scale_cancels(scale):
    def moved(factor: float) -> torch.Tensor:
        weight = nn.Parameter(torch.linspace(0.5, 1, 8))
        weight.grad = factor * torch.linspace(-1, 2, 8)
        module = nn.ParameterList([weight])
        with Sam(rho=0.25, adaptive=True).perturbed(module, [weight], torch.tensor(factor)):
            return weight.detach().clone()

    assert torch.equal(moved(scale), moved(1.0))


def test_gradients_that_overflow_leave_no_trace_in_weights_or_statistics():
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    parameters = list(module.parameters())
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, torch.inf)
    with Sam(rho=0.5, adaptive=False).perturbed(module, parameters):
        module(torch.ones(4, 3)).sum().backward()
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert not all(parameter.grad.isfinite().all() for parameter in parameters)  # so the step isn't allowed
