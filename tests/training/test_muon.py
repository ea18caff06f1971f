"""Muon and Lion against their formulas, and against torch's Muon where it accepts the weights."""

import pytest
import torch
from helpers.tolerances import FLOAT32, SAME_FORMULA
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from cifar_dsl.training import muon
from cifar_dsl.training.lion import Lion
from cifar_dsl.training.muon import Muon, orthogonalized

SHAPES = [(4, 6), (6, 4), (8, 3, 3, 3), (5, 5)]


def quintic(values: Tensor, steps: int) -> Tensor:
    """The effect of Newton-Schulz on singular values, computed on the values themselves."""
    for _ in range(steps):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return values


def weight_and_gradients(shape: tuple[int, ...], count: int = 3) -> tuple[Tensor, list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    made = [torch.randn(shape, generator=generator) for _ in range(count + 1)]
    # Multiples of 1/8, which a momentum of 1/2 adds up exactly: otherwise the last bit of a sum would decide which
    # bfloat16 it is rounded to.
    made[1:] = [tensor.mul(8).round().div(8) for tensor in made[1:]]
    return made[0].requires_grad_(), made[1:]


def trained(optimizer: torch.optim.Optimizer, weight: Tensor, gradients: list[Tensor]) -> Tensor:
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (16, 16), (3, 40)])
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_orthogonalization_moves_singular_values_to_1_and_keeps_vectors(shape, steps):
    matrix = torch.randn(shape)
    u, values, vh = torch.linalg.svd(matrix, full_matrices=False)
    expected = u @ torch.diag(quintic(values / values.norm(), steps)) @ vh
    # It computes in bfloat16, which rounds numbers near 1 by 2e-3, and each step may make an error 3.4 times as large:
    # over many matrices it was up to 0.011, 0.046 and 0.113.
    torch.testing.assert_close(
        orthogonalized(matrix, steps).float(), expected, rtol=0, atol={1: 0.02, 3: 0.1, 5: 0.2}[steps]
    )


def test_five_steps_bring_every_singular_value_between_0_5_and_1_5():
    values = torch.linalg.svdvals(orthogonalized(torch.randn(20, 30), 5).float())
    assert values.min() > 0.5
    assert values.max() < 1.5


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("rescale", [True, False])
def test_steps_follow_the_formula(shape, nesterov, rescale):
    weight, gradients = weight_and_gradients(shape)
    expected, momentum = weight.detach().clone(), torch.zeros(shape)
    for gradient in gradients:
        momentum = 0.5 * momentum + gradient
        direction = gradient + 0.5 * momentum if nesterov else momentum
        if rescale:
            expected = expected / expected.norm() * shape[0] ** 0.5
        update = orthogonalized(direction.flatten(1), 3).float().view(shape)
        expected = expected - 0.24 * update
    optimizer = Muon([weight], lr=0.24, momentum=0.5, nesterov=nesterov, steps=3, rescale=rescale)
    torch.testing.assert_close(trained(optimizer, weight, gradients), expected, **SAME_FORMULA)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_steps_on_wide_matrices_equal_torchs_muon(weight_decay):
    weight, gradients = weight_and_gradients((4, 6))
    theirs = weight.detach().clone().requires_grad_()
    ours = trained(Muon([weight], lr=0.1, weight_decay=weight_decay), weight, gradients)
    expected = trained(torch.optim.Muon([theirs], lr=0.1, weight_decay=weight_decay), theirs, gradients)
    # torch rounds to bfloat16 at other places: three updates of 0.1 are up to 0.013 apart over many weights.
    torch.testing.assert_close(ours, expected, rtol=0, atol=0.02)


def test_a_rescaled_weight_has_the_declared_norm_before_the_step():
    weight, gradients = weight_and_gradients((8, 3, 3, 3))
    after = trained(Muon([weight], lr=1e-9, rescale=True), weight, gradients)
    assert after.norm().item() == pytest.approx(8**0.5, **FLOAT32)


def test_a_weight_of_zeros_can_be_rescaled():
    weight = torch.zeros(4, 6, requires_grad=True)
    assert trained(Muon([weight], lr=0.1, rescale=True), weight, [torch.randn(4, 6)]).isfinite().all()


def several(shapes: list[tuple[int, ...]]) -> list[Tensor]:
    """Weights with gradients; those of four dimensions are channels_last, as in training."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for shape in shapes:
        weight, gradient = (torch.randn(shape, generator=generator) for _ in range(2))
        if len(shape) == 4:
            weight, gradient = (one.contiguous(memory_format=torch.channels_last) for one in (weight, gradient))
        weight.requires_grad_().grad = gradient
        made.append(weight)
    return made


MIXED = [(8, 3, 3, 3), (4, 6), (8, 3, 3, 3), (27, 8), (8, 27), (4, 6), (40, 3, 2, 2)]


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("settings", [{"rescale": True}, {"weight_decay": 0.1}], ids=str)
@pytest.mark.parametrize("together", [2**22, 400])
@pytest.mark.parametrize("product_type", [torch.bfloat16, torch.float32], ids=str)
def test_weights_together_get_the_steps_that_they_get_alone(monkeypatch, nesterov, settings, together, product_type):
    monkeypatch.setattr(muon, "_TOGETHER", together)
    monkeypatch.setattr(muon, "_product_type", lambda _: product_type)
    alone, beside = several(MIXED), several(MIXED)
    settings = settings | {"lr": 0.1, "nesterov": nesterov}
    for optimizer in [*(Muon([weight], **settings) for weight in alone), Muon(beside, **settings)]:
        for _ in range(2):
            optimizer.step()
    tolerance = 1e-5 if product_type is torch.float32 else 0
    for one, other in zip(alone, beside, strict=True):
        # Products of float32 matrices round their sums of about 100 numbers in another order in a batch.
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("device", "reason", "expected"),
    [
        ("cpu", None, torch.bfloat16),
        ("cpu", "this processor has neither", torch.float32),
        ("cuda", "this GPU has no", torch.bfloat16),  # as published
    ],
)
def test_a_processor_without_bfloat16_orthogonalizes_in_float32(monkeypatch, device, reason, expected):
    monkeypatch.setattr(muon, "why_slow", lambda name, _: reason if name == "bf16" else None)
    assert muon._product_type.__wrapped__(torch.device(device)) is expected


def test_float32_scatters_less():
    """So that a recipe of a machine with bfloat16 trains as well on one without."""
    matrix = torch.randn(30, 40, generator=torch.Generator().manual_seed(0))
    u, values, vh = torch.linalg.svd(matrix, full_matrices=False)
    exact = u @ torch.diag(quintic(values / values.norm(), 3)) @ vh
    errors = {}
    for each in (torch.bfloat16, torch.float32):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(muon, "_product_type", lambda _, each=each: each)
            errors[each] = (orthogonalized(matrix, 3).float() - exact).abs().max().item()
    assert errors[torch.float32] < errors[torch.bfloat16] / 100


class Kernels(TorchDispatchMode):
    """Counts operators that compute something: on a GPU, each launches a kernel or a few."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += not func.is_view and func.overloadpacket.__name__ != "_unsafe_view"
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("settings", [{"rescale": True}, {"weight_decay": 0.1, "nesterov": False}], ids=str)
def test_more_weights_of_equal_shape_take_no_more_kernels(settings):
    counts = []
    for weights in (several([(8, 3, 3, 3)] * 2), several([(8, 3, 3, 3)] * 6)):
        optimizer = Muon(weights, lr=0.1, steps=3, **settings)
        optimizer.step()
        with Kernels() as kernels:
            optimizer.step()
        counts.append(kernels.count)
    assert counts[0] == counts[1]
    assert counts[0] <= 3 * 3 + 20  # three for each Newton-Schulz step, whose formula has eight operations


def test_a_vector_is_refused():
    with pytest.raises(ValueError, match="two or more dimensions"):
        Muon([torch.zeros(4, requires_grad=True)], lr=0.1)


def test_lion_follows_its_paper():
    weight, gradients = weight_and_gradients((4, 6), count=5)
    expected, momentum = weight.detach().clone(), torch.zeros(4, 6)
    for gradient in gradients:
        update = torch.sign(0.9 * momentum + 0.1 * gradient)
        expected = expected - 0.01 * (update + 0.5 * expected)
        momentum = 0.99 * momentum + 0.01 * gradient
    optimizer = Lion([weight], lr=0.01, betas=(0.9, 0.99), weight_decay=0.5)
    torch.testing.assert_close(trained(optimizer, weight, gradients), expected, **SAME_FORMULA)


@pytest.mark.parametrize("make", [lambda w: Muon(w, lr=0.1), lambda w: Lion(w, lr=0.1)], ids=["muon", "lion"])
def test_a_weight_without_a_gradient_stays(make):
    weights = [torch.ones(2, 2, requires_grad=True), torch.ones(2, 2, requires_grad=True)]
    weights[0].grad = torch.randn(2, 2)
    make(weights).step()
    assert not torch.equal(weights[0], torch.ones(2, 2))
    assert torch.equal(weights[1], torch.ones(2, 2))
