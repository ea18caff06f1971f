"""torch accepts everything that recipes declare, with the declared arguments."""

import pytest
import torch
from attrs import evolve
from helpers.tolerances import FLOAT32, SAME_FORMULA
from torch import nn

from cifar_dsl.ir import ArgumentInfo, Declaration, arguments_of
from cifar_dsl.operations.argument_types import Bool, Choice, Float, Int, ListOf, OneOf
from cifar_dsl.operations.recipe import CLIPS, LOSSES, OPTIMIZERS
from cifar_dsl.operations.registry import MisfitError, Registry
from cifar_dsl.training.losses import LOSS_MODULES
from cifar_dsl.training.lowering.torch_module import make, resolve
from cifar_dsl.training.optimizers import OPTIMIZER_CLASSES

X, Y = torch.linspace(-1, 1, 24).view(8, 3), torch.tensor([0, 1] * 4)


def small(info: ArgumentInfo) -> object:
    """A valid value of the argument other than its default."""
    match info.kind:
        case Bool():
            return not info.default
        case Float():
            return 0.125
        case Int():
            return 3
        case Choice(names=(first, second)):
            return second if info.default == first else first
        case ListOf(item=Float(), length=length):
            return tuple(0.5 + 0.125 * i for i in range(length or 2))
        case OneOf(kinds=(Choice(), kind)):
            return small(evolve(info, kind=kind))
        case kind:
            raise AssertionError(f"add a small value for {kind}")


def with_defaults(declaration: type[Declaration]) -> Declaration:
    return declaration(**{info.name: small(info) for info in arguments_of(declaration) if info.is_required})


def without_defaults(declaration: type[Declaration]) -> Declaration:
    return declaration(**{info.name: small(info) for info in arguments_of(declaration)})


def all_of(registry: Registry) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("declaration", [registry[name] for name in registry], ids=list(registry))


@pytest.mark.parametrize("fill", [with_defaults, without_defaults])
@all_of(OPTIMIZERS)
def test_every_optimizer_takes_steps_that_make_the_loss_smaller(declaration, fill):
    torch.manual_seed(0)
    module = nn.Linear(3, 2, bias=False)
    lowering = fill(declaration).lower()
    optimizer = resolve(lowering.target, OPTIMIZER_CLASSES)(module.parameters(), **lowering.keywords())
    losses = []
    for _ in range(5):
        loss = nn.functional.cross_entropy(module(X), Y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@all_of(OPTIMIZERS)
def test_every_argument_of_an_optimizer_reaches_torch(declaration):
    declared = without_defaults(declaration)
    lowering = declared.lower()
    group = resolve(lowering.target, OPTIMIZER_CLASSES)(
        [torch.zeros(1, 1, requires_grad=True)], **lowering.keywords()
    ).param_groups[0]
    assert {info.name: group[info.name] for info in arguments_of(declaration)} == declared.arguments()


@all_of(OPTIMIZERS)
def test_an_optimizer_keeps_the_states_that_the_memory_estimate_counts(declaration):
    weight = torch.zeros(10, 10, requires_grad=True)
    lowering = without_defaults(declaration).lower()
    optimizer = resolve(lowering.target, OPTIMIZER_CLASSES)([weight], **lowering.keywords())
    weight.sum().backward()
    optimizer.step()
    kept = [value for value in optimizer.state[weight].values() if torch.is_tensor(value) and value.numel() > 1]
    assert len(kept) == without_defaults(declaration).states


@pytest.mark.parametrize("name", ["sgd", "muon"])
def test_nesterov_without_momentum_is_refused(name):
    with pytest.raises(MisfitError, match="momentum"):
        OPTIMIZERS[name](lr=1.0, momentum=0.0, nesterov=True).check()


def test_weight_decay_with_rescale_is_refused():
    with pytest.raises(MisfitError, match="has no effect with `rescale`"):
        OPTIMIZERS["muon"](lr=1.0, weight_decay=0.1, rescale=True).check()


@all_of(OPTIMIZERS)
def test_an_optimizer_for_some_parameters_describes_them(declaration):
    declared = with_defaults(declaration)
    assert declared.can_train((4, 3))
    assert declared.can_train((4, 3, 2, 2))
    assert declared.can_train((4,)) == (declaration is not OPTIMIZERS["muon"])
    assert bool(declared.trains_only) == (not declared.can_train((4,)))


@all_of(LOSSES)
@pytest.mark.parametrize("fill", [with_defaults, without_defaults])
def test_every_loss_is_a_mean_or_a_sum_over_the_batch(declaration, fill):
    declared = fill(declaration)
    loss = make(declared.lower(), LOSS_MODULES)
    scores = torch.linspace(-2, 2, 16).view(8, 2)
    one_by_one = torch.stack([loss(scores[i : i + 1], Y[i : i + 1]) for i in range(8)])
    torch.testing.assert_close(loss(scores, Y), getattr(one_by_one, declared.reduction)(), **SAME_FORMULA)


@all_of(CLIPS)
def test_every_clipping_bounds_the_gradients(declaration):
    weights = [torch.zeros(4, requires_grad=True), torch.zeros(2, 3, requires_grad=True)]
    for weight in weights:
        weight.grad = torch.full_like(weight, 10.0)
    lowering = with_defaults(declaration).lower()
    if lowering is None:
        assert declaration is CLIPS["none"]
        return
    resolve(lowering.target, OPTIMIZER_CLASSES)(weights, **lowering.keywords())
    gradients = torch.cat([weight.grad.flatten() for weight in weights])
    measured = gradients.norm() if declaration is CLIPS["norm"] else gradients.abs().max()
    assert measured.item() == pytest.approx(0.125, **FLOAT32)
