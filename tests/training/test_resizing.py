"""Progressive resizing: the size of training images follows from the epoch, and nothing else changes."""

import pytest
import torch
from attrs import evolve
from helpers.charged import charged_work
from helpers.engines import SPEC, Case
from helpers.pictures import images
from helpers.tolerances import FLOAT64, PIXELS
from torchvision.transforms import v2

from cifar_dsl.compiler import TrainingSize, analyze_text, mean_macs
from cifar_dsl.foundation import limits
from cifar_dsl.ir import Shape
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.operations.recipe.augmentation import Flip, Mixup, Resize
from cifar_dsl.training.augmentation import augmented
from cifar_dsl.training.draws import HostKeys
from cifar_dsl.training.learner import Learner

RECIPE = "train {" + SPEC.partition("train {")[2]
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
    sizes = [TrainingSize(after, Shape((3, 8, 8)), macs) for after, macs in ((0, 100), (2, 200), (4, 800))]
    assert mean_macs(sizes, 0, 8) == (2 * 100 + 2 * 200 + 4 * 800) / 8
    assert mean_macs(sizes, 3, 4.5) == pytest.approx((200 + 0.5 * 800) / 1.5, **FLOAT64)
    assert mean_macs(sizes, 0, 2) == 100
    assert mean_macs(sizes, 2, 2) == 200  # of a training that ended in its first epoch
    assert mean_macs(sizes[2:], 4, 7.3) == 800  # exactly


@pytest.mark.parametrize(
    "body",
    [
        "conv(4, 3) -> relu",
        "let t = tied { conv(3, 3, pad=1) -> relu }\n t -> maxpool(2) -> t",
        "let head = conv(4, 3) -> global_avgpool -> dense(10) -> exit(0.5)\n conv(5, 3) -> relu",
    ],
    ids=["plain", "tied", "exits"],
)
def test_the_cost_of_each_size_is_that_of_the_network_with_this_input(body):
    text = SPEC.partition("model {")[0] + f"model {{\n {body}\n global_avgpool -> dense(10)\n}}\n" + RECIPE
    small, full = analyze_text(text, overrides=[RESIZED]).training_sizes
    assert (small.after, str(small.image), full.after, str(full.image)) == (0, "3x5x5", 2, "3x8x8")
    for size in (small, full):
        at_size = analyze_text(text.replace("3x8x8", str(size.image))).graph
        assert size.macs == at_size.training_cost.macs
    (only,) = analyze_text(text).training_sizes
    assert only == evolve(full, after=0)


def test_sizes_are_charged_to_the_steps_of_the_check():
    layers = SPEC.replace("dropout(0.3)", "repeat 40 { conv(6, 3, pad=1) -> relu }").replace(
        "flatten", "global_avgpool"
    )
    with charged_work() as works:
        analyze_text(layers)
    with limits.raising(steps=int(1.5 * sum(work.done for work in works))), pytest.raises(SpecError) as caught:
        analyze_text(layers, overrides=[RESIZED])
    assert [one.code for one in caught.value.diagnostics] == ["E0211"]


def test_claims_and_assertions_hold_for_full_size():
    text = SPEC.replace("flatten", "global_avgpool").replace(
        "model {", "assert macs > 1k\nmodel {\n identity : 3x8x8", 1
    )
    assert len(analyze_text(text, overrides=[RESIZED]).training_sizes) == 2
