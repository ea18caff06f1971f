"""Half precision: where it is slow, and loss scaling in float16."""

import pytest
import torch
from helpers.pictures import images
from helpers.tolerances import HALF
from helpers.training import CPU, meaning, without_idle_biases
from torch import nn

from cifar_dsl.operations.recipe import OPTIMIZERS
from cifar_dsl.training.engines import EagerEngine
from cifar_dsl.training.images import Splits
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.loop import Callbacks, fit
from cifar_dsl.training.loss_scale import LossScale
from cifar_dsl.training.precision import float32_products, matrix_products_in, products_of, why_slow

GPU = torch.device("cuda", 0)
SPEC = """
arch small
input 3x7x6
model { conv(4, 3, bias=false) -> bn -> relu -> flatten -> dense(10, bias=false) }
train {
    data npz("00")
    normalize unit
    epochs 2
    batch 10
    precision fp16
    optimizer sgd(lr=0.01, momentum=0.9)
}
"""
GROUP = "    group rest {\n select [bias, scale]\n optimizer sgd(0.1)\n }\n"
GROUPED = SPEC.replace("    precision", GROUP + "    precision")
CALLS = {
    **{name: f"{name}(lr=0.01)" for name in OPTIMIZERS},
    "rmsprop with momentum": "rmsprop(lr=0.01, momentum=0.9)",
    "sgd with nesterov": "sgd(lr=0.01, momentum=0.9, nesterov=true, weight_decay=0.1)",
}


def learner(*overrides: str, text: str = SPEC) -> Learner:
    graph, recipe = meaning(text, overrides)
    return Learner(without_idle_biases(graph), recipe, "small", 0, images(), EagerEngine(CPU))


def parameter(*gradient: float) -> nn.Parameter:
    made = nn.Parameter(torch.zeros(len(gradient)))
    made.grad = torch.tensor(gradient)
    return made


def factor(scale: LossScale) -> float:
    return scale.state()["factor"].item()


# ---- the scale


def test_unscaled_gradients_are_those_of_the_loss():
    scale, weight = LossScale(CPU), nn.Parameter(torch.tensor([1.0, -3.0]))
    scale.scaled((weight**2).sum()).backward()
    assert weight.grad.tolist() != [2.0, -6.0]
    assert scale.unscale([weight]).item() is True
    assert weight.grad.tolist() == [2.0, -6.0]


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_gradient_that_is_not_finite_halves_the_scale_and_forbids_the_step(value):
    scale = LossScale(CPU)
    before = factor(scale)
    assert scale.unscale([parameter(1.0), parameter(1.0, value)]).item() is False
    assert factor(scale) == before / 2


def test_many_steps_with_finite_gradients_double_the_scale():
    scale = LossScale(CPU)
    before = factor(scale)
    for _ in range(1999):
        scale.unscale([parameter(1.0)])
    scale.unscale([parameter(float("inf"))])
    for _ in range(1999):
        scale.unscale([parameter(1.0)])
    assert factor(scale) == before / 2
    scale.unscale([parameter(1.0)])
    assert factor(scale) == before
    scale.unscale([parameter(1.0)])
    assert factor(scale) == before


def test_at_a_scale_of_one_steps_are_allowed_so_that_divergence_is_visible():
    scale = LossScale(CPU)
    allowed = [scale.unscale([parameter(float("nan"))]).item() for _ in range(20)]
    assert allowed == [False] * 16 + [True] * 4
    assert factor(scale) == 1


# ---- steps that are not allowed


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_forbidden_step_changes_nothing(call):
    expected, skipping = (learner(f"train.optimizer={call}", text=GROUPED) for _ in range(2))
    for one in (expected, skipping):
        one.begin_epoch()
    for is_allowed in (False, True, False, True):  # not the first, before there is a state, nor a later one
        if is_allowed:
            _step(expected, 0.1, is_allowed=True)
            _step(skipping, 0.1, is_allowed=True)
        else:
            _step(skipping, float("nan"), is_allowed=False)
    for name, tensor in expected.state().items():
        assert torch.equal(tensor, skipping.state()[name]), name


def _step(one: Learner, gradient: float, *, is_allowed: bool) -> None:
    for number, weight in enumerate(one.module.parameters(), start=1):
        weight.grad = torch.full_like(weight, gradient * number)
    one._optimizers.step(one._inputs, torch.tensor(is_allowed))


# ---- float32 on a GPU


def test_trainings_round_in_convolutions_only_whatever_was_set_before():
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = (cudnn.conv.fp32_precision, products.fp32_precision)
    with matrix_products_in("tf32"):
        with float32_products(GPU):
            assert (cudnn.allow_tf32, products.allow_tf32) == (True, False)
            assert (cudnn.conv.fp32_precision, products.fp32_precision) == ("tf32", "ieee")
        assert products.fp32_precision == "tf32"
        assert torch.get_float32_matmul_precision() == "high"  # torch's older and newer switches agree
    assert (cudnn.conv.fp32_precision, products.fp32_precision) == before
    with float32_products(CPU):
        assert (cudnn.conv.fp32_precision, products.fp32_precision) == before


def test_the_record_says_how_float32_is_multiplied():
    assert products_of(GPU) == "convolutions tf32, matrix products ieee"
    assert products_of(CPU) == ""


# ---- a training


def test_fp16_trains_about_as_well_as_float32():
    losses = {}
    for name in ("fp32", "fp16"):
        made, kept = learner(f"train.precision={name}", "train.epochs=4"), []
        fit([made], Splits(images(), images()), Callbacks(on_epoch=lambda _, epoch, kept=kept: kept.append(epoch)))
        losses[name] = [epoch.metrics.train_loss for epoch in kept]
        assert all(weight.dtype == torch.float32 for weight in made.module.parameters())
    assert losses["fp16"] != losses["fp32"]
    assert losses["fp16"] == pytest.approx(losses["fp32"], **HALF)


def test_gradients_too_small_for_float16_are_not_lost():
    text = SPEC.replace("bias=false)", "bias=false) -> scale(1e-7)")
    trained = learner("train.optimizer=adam(lr=0.01, eps=1e-12)", text=text)
    before = trained.module.get_parameter("dense.weight").clone()
    trained.begin_epoch()
    trained.prepare().run()
    moved = (trained.module.get_parameter("dense.weight") - before).abs()
    assert (moved > 5e-3).float().mean() > 0.9


def test_a_diverging_training_ends():
    ended = []
    made = learner("train.optimizer.lr=1e12", "train.epochs=3")
    fit([made], Splits(images(), images()), Callbacks(on_divergence=ended.append))
    assert ended == [made]


# ---- what is slow


@pytest.mark.parametrize(
    ("name", "capabilities", "is_slow"),
    [
        ("bf16", {"architecture": "x86_64", "avx512_bf16": True}, False),
        ("bf16", {"architecture": "x86_64", "amx_bf16": True}, False),
        ("bf16", {"architecture": "x86_64", "avx512_f": True}, True),
        ("fp16", {"architecture": "x86_64", "avx512_bf16": True}, True),
        ("fp16", {"architecture": "x86_64", "amx_fp16": True}, False),
        ("fp32", {"architecture": "x86_64"}, False),
        ("bf16", {"architecture": "aarch64"}, False),
    ],
)
def test_half_precision_is_slow_on_processors_without_its_instructions(name, capabilities, is_slow, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert (why_slow(name, CPU) is not None) == is_slow


def test_bf16_is_slow_on_gpus_that_only_emulate_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert why_slow("bf16", GPU)
    assert why_slow("fp16", GPU) is None
