"""Half precision: where it is slow, and loss scaling in float16."""

import pytest
import torch
from helpers.pictures import images
from helpers.specs import graph_of
from helpers.tolerances import HALF
from helpers.training import CPU, meaning, without_idle_biases
from torch import nn

from cifar_dsl.operations.recipe import OPTIMIZERS
from cifar_dsl.operations.recipe.half_weights import half_weights
from cifar_dsl.training.engines import EagerEngine
from cifar_dsl.training.images import Splits
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.loop import Callbacks, fit
from cifar_dsl.training.loss_scale import LossScale
from cifar_dsl.training.lowering.torch_module import build_module
from cifar_dsl.training.precision import (
    float32_products,
    keep_in_half,
    matrix_products_in,
    precision,
    products_of,
    why_slow,
)
from cifar_dsl.views.examples import EXAMPLES

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


# ---- weights in half precision


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_what_is_rounded_in_each_pass_is_kept_in_half_precision(name):
    made = learner(f"train.precision={name}", "train.weight_precision=half")
    halved = {"conv.weight": torch.bfloat16 if name == "bf16" else torch.float16}
    halved["dense.weight"] = halved["conv.weight"]
    full = dict.fromkeys(["bn.weight", "bn.bias"], torch.float32)
    assert {path: one.dtype for path, one in made.module.named_parameters()} == halved | full
    assert {one.dtype for one in made.module.buffers()} == {torch.float32, torch.int64}


@pytest.mark.parametrize(
    ("stages", "full"),
    [
        ("conv(8, 3, bias=false) -> bn -> relu", {"bn.weight", "bn.bias"}),
        ("conv(8, 3, weight=standardized) -> relu", {"conv.weight", "conv.bias"}),
        ("conv(8, 3) -> prelu -> layer_scale -> affine", {"prelu.weight", "layer_scale.weight", "affine.weight"}),
        ("patches(8, 4) -> position_embedding -> attention(2)", {"position_embedding.weight"}),
    ],
)
def test_norms_scales_and_weights_of_functions_stay_float32(stages, full):
    graph, recipe = graph_of(stages), meaning(SPEC, ("train.weight_precision=half",))[1]
    module = build_module(graph, "any", 0)
    half = half_weights(graph, recipe)
    assert {path for path, _ in module.named_parameters()} - half - {"affine.bias"} == full


@pytest.mark.filterwarnings("ignore:Mismatch dtype")  # rmsnorm's, as with weights in float32
@pytest.mark.parametrize("stages", sorted({*EXAMPLES["Layers"].values(), *EXAMPLES["Joins"].values()}))
def test_every_layer_computes_and_learns_with_weights_in_half_precision(stages):
    graph = graph_of(stages, size="3x32x32")
    recipe = meaning(SPEC, ("train.precision=bf16", "train.weight_precision=half"))[1]
    module = build_module(graph, "any", 0)
    keep_in_half(module, half_weights(graph, recipe), recipe)
    with precision(recipe, CPU):
        scores = module(torch.rand(2, 3, 32, 32))
    if any(one.requires_grad for one in module.parameters()):
        (scores[0] if isinstance(scores, tuple) else scores).float().square().sum().backward()
        assert all(one.grad.dtype == one.dtype for one in module.parameters() if one.grad is not None)


def test_a_step_on_weights_in_half_precision_changes_them_and_their_state_there():
    made = learner("train.precision=bf16", "train.weight_precision=half")
    before = made.module.get_parameter("conv.weight").clone()
    made.begin_epoch()
    made.prepare().run()
    weight = made.module.get_parameter("conv.weight")
    assert weight.dtype == weight.grad.dtype == torch.bfloat16
    assert not torch.equal(weight, before)
    kept = [one for name, one in made.state().items() if name.startswith("optimizer.") and one.shape == weight.shape]
    assert [one.dtype for one in kept] == [torch.bfloat16]


def test_the_first_pass_is_that_of_weights_that_are_rounded_in_each_pass():
    losses = []
    for name in ("fp32", "half"):
        made = learner("train.precision=bf16", f"train.weight_precision={name}")
        made.begin_epoch()
        made.prepare().run()
        losses.append(made.loss_sum.item())
    assert losses[0] == losses[1]


def test_float16_weights_are_trained_without_a_scale():
    assert learner()._scale is not None
    assert learner("train.weight_precision=half")._scale is None


@pytest.mark.parametrize("average", ["ema(0.999)", "swa(start=0)", "lookahead(every=2, rate=0.01)"])
def test_averages_of_weights_in_half_precision_move_in_float32(average):
    made = learner("train.precision=bf16", "train.weight_precision=half", f"train.average={average}")
    fit([made], Splits(images(), images()), Callbacks())
    (path, averaged), *_ = ((name, one) for name, one in made._averages.state().items() if one.shape == (4, 3, 3, 3))
    assert averaged.dtype == torch.float32, path
    assert not torch.equal(averaged, averaged.bfloat16().float())  # numbers that bfloat16 doesn't have


def test_weights_in_half_precision_train_about_as_well():
    losses = {}
    for name in ("fp32", "half"):
        made, kept = learner("train.precision=bf16", f"train.weight_precision={name}", "train.epochs=4"), []
        fit([made], Splits(images(), images()), Callbacks(on_epoch=lambda _, epoch, kept=kept: kept.append(epoch)))
        losses[name] = [epoch.metrics.train_loss for epoch in kept]
    assert losses["half"] != losses["fp32"]
    assert losses["half"] == pytest.approx(losses["fp32"], **HALF)


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
