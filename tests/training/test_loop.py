"""The training loop is seeded, repeatable, and equal to a plain PyTorch loop step by step."""

import math
import random
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest
import torch
from helpers.tolerances import FLOAT32, FLOAT64, HALF, SAME_FORMULA, TRAINED
from helpers.training import CPU, Outcome, fitted, meaning, without_idle_biases
from torch import Tensor, nn

from cifar_dsl.training import draws, loop
from cifar_dsl.training.convolutions import tuned_convolutions
from cifar_dsl.training.evaluation import evaluate
from cifar_dsl.training.generators import generators_preserved
from cifar_dsl.training.images import load_images
from cifar_dsl.training.lowering.torch_module import build_module, build_training_module

COUNT, BATCH, EPOCHS = 50, 16, 3  # the last batch holds 2 images

SPEC = """
arch small
input 3x8x8
model {
    conv(4, 3) -> relu
    conv(6, 3, stride=2) -> relu
    flatten
    dense(10)
}
train {
    data npz("00")
    normalize signed
    epochs 3
    batch 16
    optimizer sgd(lr=0.05)
}
"""
RANDOM_SPEC = SPEC.replace("flatten", "bn -> dropout(0.3) -> flatten").replace(
    "batch 16", "batch 16\n    augment crop(padding=2) -> flip -> cutout(3)"
)


def pictures(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    random_numbers = np.random.default_rng(seed)
    return random_numbers.integers(0, 256, (count, 8, 8, 3), np.uint8), random_numbers.integers(0, 10, count)


TRAIN, TEST = pictures(0, COUNT), pictures(1, 30)


def train(*overrides: str, text: str = SPEC, seed: int = 0, test: tuple[np.ndarray, np.ndarray] = TEST) -> Outcome:
    graph, recipe = meaning(text, overrides)
    return fitted(without_idle_biases(graph), recipe, load_images(recipe, TRAIN, test, CPU), [seed])[0]


def plain(
    make_optimizer: Callable[..., torch.optim.Optimizer],
    *,
    change_gradients: Callable[[list[nn.Parameter]], object] = lambda _: None,
    factor: Callable[[float], float] = lambda _: 1.0,
    loss: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy,
) -> dict[str, Tensor]:
    """The same training as a plain PyTorch loop."""
    module = build_module(meaning(SPEC, ())[0], "small", seed=0)
    x = torch.from_numpy(TRAIN[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
    y = torch.from_numpy(TRAIN[1])
    optimizer = make_optimizer(module.parameters())
    rate = optimizer.param_groups[0]["lr"]
    steps = math.ceil(COUNT / BATCH)
    for epoch in range(EPOCHS):
        order = draws.permutation(0, epoch + 1, COUNT)
        for step in range(steps):
            index = order[step * BATCH : (step + 1) * BATCH]
            optimizer.param_groups[0]["lr"] = rate * factor(epoch + step / steps)
            optimizer.zero_grad()
            loss(module(x[index]), y[index]).backward()
            change_gradients(list(module.parameters()))
            optimizer.step()
    return module.state_dict()


def sgd(parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.05)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ((), lambda: plain(sgd)),
        (
            ("train.optimizer=sgd(lr=0.05, momentum=0.9, nesterov=true, weight_decay=0.1)",),
            lambda: plain(lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=0.1)),
        ),
        (
            ("train.optimizer=adam(lr=0.003, eps=1e-4, weight_decay=0.1)",),
            lambda: plain(lambda p: torch.optim.Adam(p, 0.003, eps=1e-4, weight_decay=0.1, fused=False, foreach=False)),
        ),
        (
            ("train.optimizer=adamw(lr=0.003, eps=1e-4, weight_decay=0.5)",),
            lambda: plain(
                lambda p: torch.optim.AdamW(p, 0.003, eps=1e-4, weight_decay=0.5, fused=False, foreach=False)
            ),
        ),
        (
            ("train.optimizer=rmsprop(lr=0.003, eps=1e-2)",),
            lambda: plain(lambda p: torch.optim.RMSprop(p, 0.003, eps=1e-2)),
        ),
        (
            ("train.clip=norm(0.5)",),
            lambda: plain(sgd, change_gradients=lambda p: nn.utils.clip_grad_norm_(p, 0.5)),
        ),
        (
            ("train.clip=value(0.02)",),
            lambda: plain(sgd, change_gradients=lambda p: nn.utils.clip_grad_value_(p, 0.02)),
        ),
        (
            ("train.schedule=cosine",),
            lambda: plain(sgd, factor=lambda epoch: (1 + math.cos(math.pi * epoch / EPOCHS)) / 2),
        ),
        (
            ("train.schedule=linear(warmup=1)",),
            lambda: plain(sgd, factor=lambda epoch: epoch if epoch < 1 else 1 - (epoch - 1) / (EPOCHS - 1)),
        ),
        (
            ("train.loss=cross_entropy(label_smoothing=0.2)",),
            lambda: plain(sgd, loss=partial(nn.functional.cross_entropy, label_smoothing=0.2)),
        ),
        (
            ("train.loss=cross_entropy(reduction=sum)", "train.optimizer.lr=0.003"),
            lambda: plain(
                lambda p: torch.optim.SGD(p, 0.003), loss=partial(nn.functional.cross_entropy, reduction="sum")
            ),
        ),
        (
            ("train.loss=mse",),
            lambda: plain(sgd, loss=lambda x, y: nn.functional.mse_loss(x, nn.functional.one_hot(y, 10).float())),
        ),
        (
            ("train.optimizer=nadam(lr=0.003, eps=1e-4)",),
            lambda: plain(lambda p: torch.optim.NAdam(p, 0.003, eps=1e-4)),
        ),
        (
            ("train.optimizer=adagrad(lr=0.01, eps=1e-2)",),
            lambda: plain(lambda p: torch.optim.Adagrad(p, 0.01, eps=1e-2)),
        ),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, tuple) else "",
)
def test_training_equals_a_plain_pytorch_loop(overrides, expected):
    weights = expected()
    torch.testing.assert_close(train(*overrides).weights, weights, **TRAINED)
    if overrides:  # else the comparison might hold whatever the setting does
        with pytest.raises(AssertionError):
            torch.testing.assert_close(train().weights, weights, **TRAINED)


def test_the_same_seed_gives_the_same_bits():
    first, second = train(text=RANDOM_SPEC), train(text=RANDOM_SPEC)
    assert all(torch.equal(tensor, second.weights[name]) for name, tensor in first.weights.items())
    assert [m.train_loss for m in first.metrics] == [m.train_loss for m in second.metrics]
    assert [m.test_loss for m in first.metrics] == [m.test_loss for m in second.metrics]


def test_the_state_of_global_generators_has_no_effect():
    torch.manual_seed(1)
    first = train(text=RANDOM_SPEC)
    torch.manual_seed(2)
    second = train(text=RANDOM_SPEC)
    assert all(torch.equal(tensor, second.weights[name]) for name, tensor in first.weights.items())


def test_another_seed_starts_from_other_weights():
    still = "train.optimizer.lr=1e-12"
    first, second = train(still, seed=0), train(still, seed=1)
    assert (first.weights["conv.weight"] - second.weights["conv.weight"]).abs().max() > 0.01


def test_training_preserves_every_global_generator():
    torch.manual_seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    train(text=RANDOM_SPEC)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]


def test_the_generator_of_mps_is_preserved_too(monkeypatch):
    before, restored = torch.arange(3), []
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: before)
    monkeypatch.setattr(torch.mps, "set_rng_state", restored.append)
    with pytest.raises(KeyboardInterrupt), generators_preserved(torch.device("mps")):
        raise KeyboardInterrupt
    assert restored == [before]


def test_dropout_differs_in_every_epoch():
    zeros: list[int] = []

    def count(module: nn.Module, _inputs: object, output: Tensor) -> None:
        if isinstance(module, nn.Dropout) and module.training:
            zeros.append(int((output == 0).sum()))

    handle = nn.modules.module.register_module_forward_hook(count)
    try:
        train("train.batch=50", "train.augment=none", "train.optimizer.lr=1e-12", text=RANDOM_SPEC)
    finally:
        handle.remove()
    assert len(set(zeros)) == len(zeros) == EPOCHS


def test_training_metrics_are_means_over_images_regardless_of_batches():
    outcome = train("train.optimizer.lr=1e-12")
    x = torch.from_numpy(TRAIN[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        scores = outcome.module(x)
    y = torch.from_numpy(TRAIN[1])
    for metrics in outcome.metrics:
        assert metrics.train_loss == pytest.approx(nn.functional.cross_entropy(scores, y).item(), **FLOAT32)
        assert metrics.train_accuracy == pytest.approx((scores.argmax(1) == y).double().mean().item(), **FLOAT64)


def test_test_metrics_are_means_over_images_in_eval_mode():
    test = pictures(2, 1007)
    outcome = train(text=RANDOM_SPEC, test=test)
    module = outcome.module.eval()
    x = torch.from_numpy(test[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        scores = module(x)
    y = torch.from_numpy(test[1])
    last = outcome.metrics[-1]
    assert last.test_loss == pytest.approx(nn.functional.cross_entropy(scores, y).item(), **FLOAT32)
    assert last.test_accuracy == pytest.approx((scores.argmax(1) == y).double().mean().item(), **FLOAT64)


@pytest.mark.parametrize(
    "loss",
    ["cross_entropy(label_smoothing=0.3)", "cross_entropy(reduction=sum)", "focal", "mse", "bce(reduction=sum)"],
)
def test_the_plain_cross_entropy_is_reported_beside_every_loss(loss):
    """It is of the true classes, whatever the loss makes of them, and mixtures of training images don't change it."""
    test = pictures(2, 1007)
    lr = "train.optimizer.lr=0.003"
    outcome = train(f"train.loss={loss}", "train.validation=10", "train.augment=mixup", lr, test=test)
    x, y = torch.from_numpy(test[0]).permute(0, 3, 1, 2).float() / 127.5 - 1, torch.from_numpy(test[1])
    with torch.no_grad():
        expected = nn.functional.cross_entropy(outcome.module.eval()(x), y).item()
    last = outcome.metrics[-1]
    assert last.test_cross_entropy == pytest.approx(expected, **FLOAT32)
    assert (last.test_loss == pytest.approx(expected, **FLOAT32)) == (loss == "cross_entropy(reduction=sum)")
    assert last.validation_cross_entropy is not None
    assert last.validation_cross_entropy != last.test_cross_entropy


def test_a_plain_loss_equals_the_cross_entropy_in_every_bit():
    for metrics in train().metrics:
        assert metrics.test_cross_entropy == metrics.test_loss
        assert metrics.validation_cross_entropy is None


def test_evaluation_changes_nothing():
    graph, recipe = meaning(RANDOM_SPEC, ())
    module = build_module(graph, "small", 0)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    images = load_images(recipe, TRAIN, TEST, CPU).test
    first, second = evaluate(module, images, recipe), evaluate(module, images, recipe)
    assert (first.loss, first.cross_entropy, first.accuracy) == (second.loss, second.cross_entropy, second.accuracy)
    assert torch.equal(first.truth_probability, second.truth_probability)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_progress_counts_every_step_of_every_epoch():
    outcome = train()
    counted = [(p.epoch, p.epochs, p.step, p.steps) for p in outcome.steps]
    assert counted == [(epoch, 3, step, 4) for epoch in (1, 2, 3) for step in (1, 2, 3, 4)]
    assert [m.epoch for m in outcome.metrics] == [1, 2, 3]


def test_a_training_asks_cudnn_once_for_all_of_its_steps(monkeypatch):
    asked = []

    def noted(device: torch.device, steps: int):
        asked.append((device, steps))
        return tuned_convolutions(device, steps)

    monkeypatch.setattr(loop, "tuned_convolutions", noted)
    outcome = train()
    assert asked == [(CPU, len(outcome.steps))]


def test_the_recorded_rate_is_that_of_the_last_step():
    rates = [metrics.lr for metrics in train("train.schedule=linear").metrics]
    assert rates == pytest.approx([0.05 * (1 - (epoch + 0.75) / 3) for epoch in range(3)], **FLOAT64)


def test_a_fraction_of_an_epoch_has_that_fraction_of_its_steps():
    outcome = train("train.epochs=1.5", "train.schedule=linear")
    counted = [(p.epoch, p.epochs, p.step, p.steps) for p in outcome.steps]
    assert counted == [(1, 1.5, step, 4) for step in (1, 2, 3, 4)] + [(2, 1.5, step, 2) for step in (1, 2)]
    assert [p.epochs_done for p in outcome.steps] == [0.25, 0.5, 0.75, 1, 1.5, 1.5]
    assert outcome.metrics[-1].lr == pytest.approx(0.05 * (1 - 1.25 / 1.5), **FLOAT64)
    first = train("train.epochs=1")
    assert not torch.equal(outcome.weights["conv.weight"], first.weights["conv.weight"])


def test_the_incomplete_last_batch_can_be_dropped():
    seen: list[int] = []

    def count(module: nn.Module, inputs: tuple[Tensor], _output: object) -> None:
        if isinstance(module, nn.Linear) and module.training:
            seen.append(len(inputs[0]))

    handle = nn.modules.module.register_module_forward_hook(count)
    try:
        outcome = train("train.drop_last=true", "train.optimizer.lr=1e-12")
    finally:
        handle.remove()
    assert seen == [16] * 9
    x = torch.from_numpy(TRAIN[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
    index = draws.permutation(0, 1, COUNT)[:48]
    with torch.no_grad():
        scores = outcome.module(x[index])
    expected = nn.functional.cross_entropy(scores, torch.from_numpy(TRAIN[1])[index]).item()
    assert outcome.metrics[0].train_loss == pytest.approx(expected, **FLOAT32)


def test_the_reported_loss_is_a_mean_even_if_the_sum_is_minimized():
    still = "train.optimizer.lr=1e-12"
    mean, total = train(still), train(still, "train.loss=cross_entropy(reduction=sum)")
    assert total.metrics[0].train_loss == pytest.approx(mean.metrics[0].train_loss, **FLOAT32)
    assert total.metrics[0].test_loss == pytest.approx(mean.metrics[0].test_loss, **FLOAT32)


def test_averaged_weights_are_evaluated_and_saved_but_not_trained():
    live = train("train.epochs=3")
    averaged = train("train.epochs=3", "train.average=swa(start=0)")
    ends = [train(f"train.epochs={epochs}").weights for epochs in (1, 2, 3)]
    for name, tensor in averaged.weights.items():
        torch.testing.assert_close(tensor, torch.stack([end[name] for end in ends]).mean(0), **SAME_FORMULA)
    assert [m.train_loss for m in averaged.metrics] == [m.train_loss for m in live.metrics]
    assert averaged.metrics[0].test_loss == pytest.approx(live.metrics[0].test_loss, **FLOAT32)
    assert averaged.metrics[2].test_loss != live.metrics[2].test_loss


def test_trained_weights_are_evaluated_until_an_average_starts():
    live, averaged = train(), train("train.average=ema(0.9, start=2)")
    assert [m.test_loss for m in averaged.metrics][:2] == [m.test_loss for m in live.metrics][:2]
    assert averaged.metrics[2].test_loss != live.metrics[2].test_loss


@pytest.mark.parametrize("average", ["ema(0.9)", "swa(start=1)", "lookahead", "lookahead(every=2) -> ema(0.5)"])
def test_averages_are_repeatable(average):
    first, second = (train(f"train.average={average}", text=RANDOM_SPEC) for _ in range(2))
    assert all(torch.equal(tensor, second.weights[name]) for name, tensor in first.weights.items())
    assert [m.test_loss for m in first.metrics] == [m.test_loss for m in second.metrics]


def test_test_views_change_the_evaluation_but_not_the_training():
    plain_run, viewed = train(), train("train.test_augment=mirror -> shift(1)")
    assert all(torch.equal(tensor, viewed.weights[name]) for name, tensor in plain_run.weights.items())
    x = torch.from_numpy(TEST[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
    padded = nn.functional.pad(x, (1, 1, 1, 1), "reflect")
    module = viewed.module
    with torch.no_grad():
        views = [(x, 1 / 2), (padded[:, :, :-2, :-2], 1 / 4), (padded[:, :, 2:, 2:], 1 / 4)]
        scores = sum(weight / 2 * (module(view) + module(view.flip(3))) for view, weight in views)
    expected = nn.functional.cross_entropy(scores, torch.from_numpy(TEST[1])).item()
    assert viewed.metrics[-1].test_loss == pytest.approx(expected, **FLOAT32)


@pytest.mark.parametrize("loss", ["cross_entropy(label_smoothing=0.1)", "mse", "bce", "focal"])
def test_every_loss_trains_on_mixed_images(loss):
    outcome = train("train.augment=flip -> mixup -> cutmix", f"train.loss={loss}", text=RANDOM_SPEC)
    assert all(math.isfinite(m.train_loss) for m in outcome.metrics)
    assert outcome.metrics[-1].train_loss != outcome.metrics[0].train_loss


def test_a_first_convolution_whitens_the_training_images():
    text = SPEC.replace("conv(4, 3) -> relu", "conv(24, 2, init=whitening, frozen=weight) -> relu")
    outcome = train(text=text)
    weight = outcome.weights["conv.weight"]
    x = torch.from_numpy(TRAIN[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
    outputs = nn.functional.conv2d(x, weight[:12]).transpose(0, 1).flatten(1)
    # The eps of 5e-4 makes each output smaller by this part of its variance, which is about 1/3 for even bytes.
    torch.testing.assert_close(outputs @ outputs.T / outputs.shape[1], torch.eye(12), rtol=0, atol=3e-3)
    assert torch.equal(train(text=text, seed=1).weights["conv.weight"], weight)


def test_a_nan_loss_ends_training_within_a_step():
    outcome = train("train.optimizer.lr=1e12")
    assert (outcome.diverged_in, outcome.epochs) == ([1], [])
    assert outcome.learner.steps_done < 4
    assert not math.isfinite(outcome.learner.loss_sum.item())


def test_weights_ruined_by_the_last_step_end_training_despite_a_finite_loss():
    outcome = train("train.optimizer=adam(lr=1e12)", "train.batch=50", "train.epochs=1")
    assert (outcome.diverged_in, outcome.epochs) == ([1], [])
    assert math.isfinite(outcome.learner.loss_sum.item())


def test_bf16_computes_in_lower_precision_and_keeps_weights_in_float32():
    full, half = train(), train("train.precision=bf16")
    assert all(tensor.dtype == torch.float32 for tensor in half.weights.values())
    assert half.metrics[0].train_loss != full.metrics[0].train_loss
    assert half.metrics[0].train_loss == pytest.approx(full.metrics[0].train_loss, **HALF)


@pytest.fixture
def float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are trained in float64, from images in float32 on, and evaluated in float32."""
    single = Tensor.float
    monkeypatch.setattr(Tensor, "float", lambda x: x.double() if torch.is_grad_enabled() else single(x))
    monkeypatch.setattr("cifar_dsl.training.learner.build_training_module", in_float64)


def in_float64(*arguments: object, **options: object) -> nn.Module:
    module = build_training_module(*arguments, **options).double()
    module.register_forward_pre_hook(lambda _, inputs: tuple(one.double() for one in inputs))
    return module


# A step of 24 images, and one of the 2 that are left; both ways.
ACCUMULATED = ("train.batch=8", "train.accumulate=3")
AT_ONCE = ("train.batch=24",)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("train.loss=cross_entropy(reduction=sum)", "train.optimizer.lr=0.002"),
        ("train.loss=cross_entropy(weights=balanced)",),
        ("train.augment=crop(padding=2) -> flip -> cutmix", "train.clip=norm(0.5)", "train.loss=focal"),
        ("train.average=lookahead(every=2) -> ema(0.9, every=2)", "train.schedule=one_cycle"),
        ("train.epochs=1.5", "train.optimizer=adamw(lr=0.001)"),
    ],
)
def test_accumulated_gradients_train_as_one_large_batch(overrides):
    parts, whole = train(*overrides, *ACCUMULATED), train(*overrides, *AT_ONCE)
    assert parts.learner.plan.steps == whole.learner.plan.steps == 3
    assert len(parts.steps) == len(whole.steps)
    for name, expected in whole.weights.items():
        assert expected.dtype == torch.float64
        # Nine steps in float64, whose sums are taken in another order.
        torch.testing.assert_close(parts.weights[name], expected, rtol=1e-10, atol=1e-12)
    for ours, theirs in zip(parts.metrics, whole.metrics, strict=True):
        # The same sums; a loss is the mean of them.
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-10)
        assert (ours.train_accuracy, ours.lr) == (theirs.train_accuracy, theirs.lr)


def test_batch_norm_sees_each_batch_of_a_step():
    overrides = ("train.epochs=1", "train.augment=none")
    text = RANDOM_SPEC.replace(" -> dropout(0.3)", "").replace(
        "conv(6, 3, stride=2)", "conv(6, 3, stride=2, bias=false)"
    )
    outcome = train(*overrides, *ACCUMULATED, text=text)
    assert outcome.weights["bn.num_batches_tracked"] == 7
