"""Losses against their formulas, for labels and for shares of classes."""

from functools import partial

import pytest
import torch
from helpers.tolerances import FLOAT64, SAME_FORMULA
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torchvision.ops import sigmoid_focal_loss

from cifar_dsl.ir import Call
from cifar_dsl.operations.recipe import LOSSES
from cifar_dsl.operations.recipe.loss import balanced_weights
from cifar_dsl.training.losses import LOSS_MODULES, one_hot
from cifar_dsl.training.lowering.torch_module import make

N, CLASSES = 8, 5


@pytest.fixture
def scores() -> Tensor:
    return 3 * torch.randn(N, CLASSES)


@pytest.fixture
def labels() -> Tensor:
    return torch.arange(N) % CLASSES


@pytest.fixture
def shares() -> Tensor:
    return torch.rand(N, CLASSES).softmax(1)


def loss(name: str, **arguments: object) -> nn.Module:
    return make(LOSSES[name](**arguments).lower(), LOSS_MODULES)


def focal(scores: Tensor, shares: Tensor, gamma: float) -> Tensor:
    p = scores.softmax(1)
    return -(shares * (1 - p) ** gamma * p.log()).sum(1).mean()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cross_entropy", lambda scores, shares: -(shares * scores.log_softmax(1)).sum(1).mean()),
        ("mse", lambda scores, shares: ((scores - shares) ** 2).mean()),
        ("bce", F.binary_cross_entropy_with_logits),
        ("focal", lambda scores, shares: focal(scores, shares, 2.0)),
    ],
)
def test_losses_follow_their_formulas(name, expected, scores, labels, shares):
    torch.testing.assert_close(loss(name)(scores, shares), expected(scores, shares), **SAME_FORMULA)
    torch.testing.assert_close(
        loss(name)(scores, labels), expected(scores, F.one_hot(labels, CLASSES).float()), **SAME_FORMULA
    )


def test_every_declared_loss_is_among_those_tested():
    assert set(LOSSES) == {"cross_entropy", "mse", "bce", "focal"}


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_sum_is_the_mean_times_the_number_of_images(name, scores, shares):
    total = loss(name, reduction="sum")(scores, shares)
    torch.testing.assert_close(total, N * loss(name)(scores, shares), **SAME_FORMULA)


@pytest.mark.parametrize("name", list(LOSSES))
@pytest.mark.parametrize("size", [0, 300])
def test_gradients_are_finite_for_certain_predictions(name, size, labels):
    scores = (size * F.one_hot(labels, CLASSES).float()).requires_grad_()
    loss(name)(scores, labels).backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 5.0])
def test_focal_loss_has_the_gradient_of_its_formula(gamma, scores, labels):
    ours, plain = scores.clone().requires_grad_(), scores.double().requires_grad_()
    loss("focal", gamma=gamma)(ours, labels).backward()
    focal(plain, F.one_hot(labels, CLASSES).double(), gamma).backward()
    torch.testing.assert_close(ours.grad.double(), plain.grad, **SAME_FORMULA)


def test_focal_loss_with_gamma_0_is_cross_entropy(scores, labels):
    torch.testing.assert_close(
        loss("focal", gamma=0.0)(scores, labels), F.cross_entropy(scores, labels), **SAME_FORMULA
    )


def test_writing_a_default_does_not_change_a_loss():
    call = LOSSES["cross_entropy"]().call()
    assert call == Call("cross_entropy", (("label_smoothing", 0.0), ("reduction", "mean"), ("weights", "none")))
    assert call.defaults == {"label_smoothing", "reduction", "weights"}


WEIGHTS = (0.5, 3.0, 0.0, 1.0, 2.0)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_weights_are_torchs(smoothing, scores, labels, shares):
    """Torch's mean over labels divides by their weights; its sum, and its mean over shares, are the same as here."""
    ours = loss("cross_entropy", weights=WEIGHTS, label_smoothing=smoothing)
    theirs = partial(F.cross_entropy, weight=torch.tensor(WEIGHTS), label_smoothing=smoothing)
    torch.testing.assert_close(ours(scores, shares), theirs(scores, shares), **SAME_FORMULA)
    torch.testing.assert_close(ours(scores, labels), theirs(scores, labels, reduction="sum") / N, **SAME_FORMULA)
    summed = loss("cross_entropy", weights=WEIGHTS, label_smoothing=smoothing, reduction="sum")
    torch.testing.assert_close(summed(scores, labels), theirs(scores, labels, reduction="sum"), **SAME_FORMULA)


def test_a_weighted_loss_treats_labels_as_their_shares(scores, labels):
    for name in ("cross_entropy", "focal"):
        ours = loss(name, weights=WEIGHTS)
        assert torch.equal(ours(scores, labels), ours(scores, one_hot(labels, CLASSES)))


def test_balanced_weights_are_those_of_scikit_learn():
    assert balanced_weights((10, 20, 30, 40)) == (2.5, 1.25, 100 / 120, 0.625)  # compute_class_weight("balanced", ...)
    counts = (3, 0, 5, 12)  # scikit-learn leaves a class without images out
    weights = balanced_weights(counts)
    assert weights == (20 / 9, 0.0, 20 / 15, 20 / 36)
    assert sum(count * weight for count, weight in zip(counts, weights, strict=True)) == pytest.approx(20, **FLOAT64)


def test_classes_after_the_last_training_label_have_no_weight(scores, labels):
    lowering = LOSSES["cross_entropy"](weights="balanced").lower((3, 5, 0))
    weights = torch.tensor([8 / 6, 8 / 10, 0, 0, 0])
    expected = F.cross_entropy(scores, labels, weights, reduction="sum") / N
    torch.testing.assert_close(make(lowering, LOSS_MODULES)(scores, labels), expected, **SAME_FORMULA)


@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, -1.0), (2.0, 0.25), (0.5, 0.75)])
def test_focal_loss_of_two_classes_is_torchvisions(gamma, alpha, scores):
    two, labels = scores[:, :2], torch.arange(N) % 2
    weights = "none" if alpha < 0 else (1 - alpha, alpha)
    ours = loss("focal", gamma=gamma, weights=weights)(two, labels)
    theirs = sigmoid_focal_loss(two[:, 1] - two[:, 0], labels.float(), alpha, gamma, reduction="mean")
    torch.testing.assert_close(ours, theirs, **SAME_FORMULA)


def test_one_hot_equals_torchs(labels):
    assert torch.equal(one_hot(labels, CLASSES), F.one_hot(labels, CLASSES).float())


def test_bce_takes_the_shares_of_mixed_images_as_they_are():
    scores, shares = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([[0.7, 0.3, 0.0]])
    p = scores.sigmoid()
    expected = -(shares * p.log() + (1 - shares) * (1 - p).log()).mean()
    loss = make(LOSSES["bce"]().lower(), LOSS_MODULES)
    torch.testing.assert_close(loss(scores, shares), expected, **SAME_FORMULA)
    # BinaryCrossEntropy of https://github.com/huggingface/pytorch-image-models, timm/loss/binary_cross_entropy.py
    timms = nn.functional.binary_cross_entropy_with_logits(scores, shares.gt(0.2).float())
    assert (timms - loss(scores, shares)).item() > 0.03  # (2 * (0.7 - 1) - 1 * (0.3 - 1)) / -3
