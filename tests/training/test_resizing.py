"""Progressive resizing: the size of training images follows from the epoch, and nothing else changes."""

import pytest
import torch
from helpers.engines import SPEC, Case
from helpers.pictures import images
from helpers.tolerances import PIXELS
from torchvision.transforms import v2

from cifar_dsl.compiler import analyze_text
from cifar_dsl.operations.recipe.augmentation import Flip, Mixup, Resize
from cifar_dsl.training.augmentation import augmented
from cifar_dsl.training.draws import HostKeys
from cifar_dsl.training.learner import Learner

RESIZED = "train.augment=flip -> mixup -> resize([0, 2], [5, 8])"


def test_the_size_of_each_epoch_is_the_last_that_has_begun():
    resize = Resize(at=(0, 2, 5), sizes=((4, 4), (6, 6), (7, 6)))
    assert [resize.size_in(epoch)[0] for epoch in range(1, 8)] == [4, 4, 6, 6, 6, 7, 7]


@pytest.mark.parametrize("size", [(4, 4), (5, 3), (7, 6)])
def test_images_are_resized_as_torchvision_does(size):
    index = torch.arange(12)
    plain = augmented(images(), index, (), HostKeys(0, 1)).images
    ours = augmented(images(), index, (Resize(at=(0,), sizes=(size,)),), HostKeys(0, 1)).images
    assert ours.shape == (12, 3, *size)
    torch.testing.assert_close(ours, v2.functional.resize(plain, list(size), antialias=True), **PIXELS)


def test_draws_are_those_of_the_chain_without_it():
    chain = (Flip(), Mixup())
    index = torch.arange(12)
    whole = augmented(images(), index, chain, HostKeys(3, 1))
    small = augmented(images(), index, (*chain, Resize(at=(0,), sizes=((5, 4),))), HostKeys(3, 1))
    assert torch.equal(small.targets(10), whole.targets(10))
    torch.testing.assert_close(small.images, v2.functional.resize(whole.images, [5, 4], antialias=True), **PIXELS)


def test_each_epoch_trains_on_its_size(monkeypatch):
    seen: list[tuple[int, torch.Size]] = []
    add = Learner._add_gradients

    def noted(learner: Learner, index: torch.Tensor, **options: bool) -> None:
        hook = learner.module.register_forward_pre_hook(lambda _, inputs: seen.append((learner.epoch, inputs[0].shape)))
        add(learner, index, **options)
        hook.remove()

    monkeypatch.setattr(Learner, "_add_gradients", noted)
    text = SPEC.replace("flatten", "global_avgpool")
    Case(text, (RESIZED, "train.epochs=3")).train()
    assert {(epoch, tuple(shape[2:])) for epoch, shape in seen} == {(1, (5, 5)), (2, (5, 5)), (3, (8, 8))}


def test_costs_are_the_mean_over_the_epochs():
    text = SPEC.replace("flatten", "global_avgpool")
    analysis = analyze_text(text, overrides=[RESIZED, "train.epochs=8"])
    small, full = analysis.training_sizes
    assert (small.after, str(small.image), full.after, full.macs) == (0, "3x5x5", 2, analysis.graph.cost.macs)
    assert analysis.training_macs == (2 * small.macs + 6 * full.macs) / 8
    assert analyze_text(text, overrides=[RESIZED, "train.epochs=2"]).training_macs == small.macs
    assert analyze_text(text).training_macs == analysis.graph.cost.macs


def test_claims_and_assertions_hold_for_full_size():
    text = SPEC.replace("flatten", "global_avgpool").replace(
        "model {", "assert macs > 1k\nmodel {\n identity : 3x8x8", 1
    )
    assert len(analyze_text(text, overrides=[RESIZED]).training_sizes) == 2
