"""Mixup and CutMix, image by image, and their Beta distribution."""

import math

import numpy as np
import pytest
import torch
from helpers.pictures import HEIGHT, WIDTH, images
from helpers.tolerances import PIXELS, SAME_FORMULA
from torchvision.transforms import v2

from cifar_dsl.ir.recipe import Augmentation
from cifar_dsl.operations.recipe import AUGMENTATIONS
from cifar_dsl.operations.recipe.augmentation import check_chain
from cifar_dsl.operations.registry import MisfitError
from cifar_dsl.training.augmentation import Batch, augmented
from cifar_dsl.training.augmentation.mixtures import beta_values
from cifar_dsl.training.draws import Draws, HostKeys

SEED, EPOCH, COUNT, CLASSES = 5, 3, 40, 10
INDEX = torch.arange(COUNT)


def change(name: str, **arguments: object) -> Augmentation:
    return AUGMENTATIONS[name](**arguments)


def batch(*chain: Augmentation) -> Batch:
    return augmented(images(), INDEX, chain, HostKeys(SEED, EPOCH))


def drawn(place: int, name: str) -> Draws:
    return Draws(HostKeys(SEED, EPOCH), f"augment {place} {name}", INDEX)


def one_hot(labels: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(labels, CLASSES).float()


@pytest.mark.parametrize("before", [(), (change("flip"), change("cutout", size=3))], ids=["first", "after others"])
@pytest.mark.parametrize("p", [1.0, 0.5])
def test_mixup_blends_two_images_after_the_same_augmentations(before, p):
    place = len(before)
    partners = drawn(place, "mixup").integers(COUNT, "partner")
    shares = beta_values(0.4)[drawn(place, "mixup").integers(2**16, "share")]
    shares = torch.where(drawn(place, "mixup").uniform() < p, shares, 1.0)
    alone = batch(*before).images
    mixed = batch(*before, change("mixup", alpha=0.4, p=p))
    for number, (partner, share) in enumerate(zip(partners.tolist(), shares.tolist(), strict=True)):
        expected = share * alone[number] + (1 - share) * alone[partner]
        torch.testing.assert_close(mixed.images[number], expected, **PIXELS)
        labels = images().labels
        target = share * one_hot(labels[number]) + (1 - share) * one_hot(labels[partner])
        torch.testing.assert_close(mixed.targets(CLASSES)[number], target, **SAME_FORMULA)
    assert torch.equal(mixed.labels, images().labels)


def test_cutmix_pastes_a_rectangle_of_the_partner_and_shares_labels_by_area():
    partners = drawn(0, "cutmix").integers(COUNT, "partner")
    shares = beta_values(1.0)[drawn(0, "cutmix").integers(2**16, "share")]
    middles = drawn(0, "cutmix").integers(HEIGHT, "row"), drawn(0, "cutmix").integers(WIDTH, "column")
    pixels, labels = images().batch(INDEX), images().labels
    mixed = batch(change("cutmix"))
    for number, partner in enumerate(partners.tolist()):
        side = math.sqrt(1 - shares[number].item())
        half_height, half_width = int(HEIGHT * side) // 2, int(WIDTH * side) // 2
        row, column = middles[0][number].item(), middles[1][number].item()
        rows = slice(max(0, row - half_height), min(HEIGHT, row + half_height))
        columns = slice(max(0, column - half_width), min(WIDTH, column + half_width))
        expected = pixels[number].clone()
        expected[:, rows, columns] = pixels[partner][:, rows, columns]
        assert torch.equal(mixed.images[number], expected)
        area = (rows.stop - rows.start) * (columns.stop - columns.start) / (HEIGHT * WIDTH)
        target = (1 - area) * one_hot(labels[number]) + area * one_hot(labels[partner])
        torch.testing.assert_close(mixed.targets(CLASSES)[number], target, **SAME_FORMULA)


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_each_image_of_a_batch_has_a_partner_of_all_images_and_its_own_share(name):
    numbered = images()
    numbered.labels.copy_(INDEX)
    index = torch.tensor([3, 17, 5, 8])
    parts = augmented(numbered, index, (change(name, alpha=1.0),), HostKeys(SEED, EPOCH)).parts
    assert parts is not None
    (own, partner), (share, _) = parts[0].unbind(1), parts[1].unbind(1)
    assert torch.equal(own, index)
    assert not set(partner.tolist()) & set(index.tolist())  # as these are drawn from forty
    assert len(set(share.tolist())) == len(index)
    # Torchvision's mix each image with its neighbour in the batch, in one proportion.
    torch.manual_seed(0)
    theirs = getattr(v2, {"mixup": "MixUp", "cutmix": "CutMix"}[name])(alpha=1.0, num_classes=COUNT)
    _, targets = theirs(numbered.batch(index), index)
    assert {tuple(sorted(row.nonzero().flatten().tolist())) for row in targets} == {(3, 17), (5, 17), (5, 8), (3, 8)}
    assert len(set(targets.amax(1).tolist())) == 1


def test_mixtures_can_be_mixed_again():
    once, twice = batch(change("mixup")), batch(change("mixup"), change("cutmix"))
    targets = twice.targets(CLASSES)
    torch.testing.assert_close(targets.sum(1), torch.ones(COUNT), **SAME_FORMULA)
    assert not torch.equal(once.images, twice.images)
    assert twice.parts is not None
    assert twice.parts[0].shape == (COUNT, 4)


def test_without_a_mixture_targets_are_labels():
    assert torch.equal(batch(change("flip")).targets(CLASSES), images().labels)


def test_a_mixture_with_probability_0_changes_nothing():
    for name in ("mixup", "cutmix"):
        mixed = batch(change(name, p=0.0))
        assert torch.equal(mixed.images, images().batch(INDEX))
        assert torch.equal(mixed.targets(CLASSES), one_hot(images().labels))


@pytest.mark.parametrize(
    ("alpha", "cumulated"),
    [
        (0.5, lambda x: 2 / np.pi * np.arcsin(np.sqrt(x))),
        (1.0, lambda x: x),
        (2.0, lambda x: 3 * x**2 - 2 * x**3),
        (3.0, lambda x: 10 * x**3 - 15 * x**4 + 6 * x**5),
    ],
)
def test_beta_values_follow_the_distribution(alpha, cumulated):
    values = beta_values(alpha).double().numpy()
    middles = (np.arange(2**16) + 0.5) / 2**16
    # Values are float32. Below 1 the density of alpha 0.5 is so steep that 6e-8 are up to 2 / pi * sqrt(6e-8) of the
    # distribution; elsewhere the density is below 2.
    np.testing.assert_allclose(cumulated(values), middles, rtol=0, atol=1.6e-4 if alpha < 1 else 1e-6)


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.2, 0.4, 0.8, 1.5, 8.0, 100.0])
def test_beta_values_have_the_moments_of_the_distribution(alpha):
    values = beta_values(alpha).double()
    assert values.isfinite().all()
    assert (values.diff() >= 0).all()
    # Both of a pair are rounded to float32, by up to 3e-8 below 1.
    torch.testing.assert_close(values + values.flip(0), torch.ones_like(values), rtol=0, atol=1e-7)
    # 65,536 values approximate the distribution, each its interval of it, which shortens the tails. Measured over these
    # alphas, the variance lacks up to 2e-5 of itself, and the fourth moment 3e-4.
    assert values.var(correction=0).item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=2e-4)
    fourth = ((values - 0.5) ** 4).mean().item()
    # As above.
    assert fourth == pytest.approx(3 / (16 * (2 * alpha + 1) * (2 * alpha + 3)), rel=1e-3)


def test_only_mixtures_follow_a_mixture():
    check_chain(())
    check_chain((change("crop"), change("flip"), change("mixup"), change("cutmix")))
    with pytest.raises(MisfitError, match="must come before `mixup`"):
        check_chain((change("mixup"), change("flip")))
