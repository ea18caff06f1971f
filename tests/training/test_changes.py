"""Color augmentations against torchvision's functions."""

import random

import numpy as np
import pytest
import torch
from helpers.pictures import images
from helpers.tolerances import FLOAT32, PIXELS
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional

from cifar_dsl.ir.recipe import Augmentation
from cifar_dsl.operations.recipe import AUGMENTATIONS
from cifar_dsl.operations.registry import MisfitError
from cifar_dsl.training.augmentation import augmented
from cifar_dsl.training.augmentation.changes import color_jitter
from cifar_dsl.training.draws import Draws, HostKeys

SEED, EPOCH, COUNT = 5, 3, 40
INDEX = torch.arange(COUNT)
COLOURED = ["color_jitter", "grayscale", "randaugment", "trivial_augment", "autoaugment"]


def changed(augmentation: Augmentation) -> Tensor:
    return augmented(images(), INDEX, (augmentation,), HostKeys(SEED, EPOCH)).images


@pytest.mark.parametrize(
    "reach",
    [
        {"brightness": 0.8, "contrast": 0.0, "saturation": 0.0},
        {"brightness": 0.0, "contrast": 0.8, "saturation": 0.0},
        {"brightness": 0.0, "contrast": 0.0, "saturation": 0.8},
        {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.5},
        {"brightness": 0.4, "contrast": 1.5, "saturation": 0.4},
        {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    ],
    ids=str,
)
def test_colours_change_as_torchvision_changes_them(reach):
    drawn = Draws(HostKeys(SEED, EPOCH), "augment 0 color_jitter", INDEX)

    def factors(name: str) -> list[float]:
        least = max(0, 1 - reach[name])
        return (least + (1 + reach[name] - least) * drawn.uniform(name)).tolist()

    expected = []
    shifts = ((2 * drawn.uniform("hue") - 1) * reach.get("hue", 0)).tolist()
    scaled = map(factors, ("brightness", "contrast", "saturation"))
    for image, *own, shift in zip(images().batch(INDEX), *scaled, shifts, strict=True):
        x = functional.adjust_brightness(image / 255, own[0])
        x = functional.adjust_contrast(x, own[1])
        x = functional.adjust_saturation(x, own[2])
        expected.append(functional.adjust_hue(x, shift) * 255)
    ours = changed(AUGMENTATIONS["color_jitter"](**reach))
    torch.testing.assert_close(ours, torch.stack(expected), **PIXELS)


def test_the_hue_of_pure_colours_and_greys_is_torchvisions():
    levels = torch.tensor([0.0, 51.0, 255.0])
    pixels = torch.cartesian_prod(levels, levels, levels).view(1, 3, 9, 3)
    index = torch.arange(1)
    for epoch in range(20):
        drawn = Draws(HostKeys(SEED, epoch), "any", index)
        shift = (2 * drawn.uniform("hue") - 1).item() / 2
        ours = color_jitter(pixels, drawn, brightness=0, contrast=0, saturation=0, hue=0.5)
        expected = functional.adjust_hue(pixels.permute(0, 3, 1, 2) / 255, shift) * 255
        # Torchvision's hue has a range of 1 and is rounded by 6e-8; six times that, of up to 255, is 1e-4.
        torch.testing.assert_close(ours.permute(0, 3, 1, 2), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("degrees", [15.0, 180.0])
def test_an_image_is_rotated_as_torchvision_rotates_it(degrees, interpolation):
    drawn = Draws(HostKeys(SEED, EPOCH), "augment 0 rotate", INDEX)
    angles = ((2 * drawn.uniform() - 1) * degrees).tolist()
    expected = [
        functional.rotate(image, angle, InterpolationMode(interpolation))
        for image, angle in zip(images().batch(INDEX), angles, strict=True)
    ]
    ours = changed(AUGMENTATIONS["rotate"](degrees=degrees, interpolation=interpolation))
    # A position is off by up to 1e-6 pixels, and so is a mean of pixels that differ by up to 255.
    torch.testing.assert_close(ours, torch.stack(expected), rtol=0, atol=0 if interpolation == "nearest" else 1e-3)
    assert interpolation == "bilinear" or (ours == 0).any()  # the corners
    assert min(angles) < -0.8 * degrees
    assert max(angles) > 0.8 * degrees


def test_grey_is_torchvisions_grey():
    everything = changed(AUGMENTATIONS["grayscale"](p=1.0))
    expected = functional.rgb_to_grayscale(images().batch(INDEX), num_output_channels=3)
    torch.testing.assert_close(everything, expected, **PIXELS)
    some = changed(AUGMENTATIONS["grayscale"](p=0.5))
    is_grey = (some == everything).flatten(1).all(1)
    assert 10 < is_grey.sum() < 30
    assert torch.equal(some[~is_grey], images().batch(INDEX)[~is_grey])


def test_magnitude_9_rotates_by_9_degrees_and_timms_by_27():
    def torchvisions(magnitude: int) -> float:
        magnitudes, _ = v2.RandAugment()._AUGMENTATION_SPACE["Rotate"]
        return magnitudes(v2.RandAugment().num_magnitude_bins, 32, 32)[magnitude].item()

    def timms(magnitude: float) -> float:
        # _rotate_level_to_arg of https://github.com/huggingface/pytorch-image-models, timm/data/auto_augment.py
        return magnitude / 10 * 30

    assert (torchvisions(9), timms(9)) == pytest.approx((9, 27), **FLOAT32)
    assert torchvisions(27) == pytest.approx(timms(9), **FLOAT32)
    declared = AUGMENTATIONS["randaugment"]()
    theirs = v2.RandAugment()
    assert (declared.ops, declared.magnitude) == (theirs.num_ops, theirs.magnitude)


@pytest.mark.parametrize("name", COLOURED)
def test_augmentation_neither_uses_nor_changes_global_generators(name):
    torch.manual_seed(1)
    first = changed(AUGMENTATIONS[name]())
    torch.manual_seed(2)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    assert torch.equal(changed(AUGMENTATIONS[name]()), first)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_colours_need_three_channels(name):
    AUGMENTATIONS[name]().check_channels(3)
    if name in COLOURED:
        with pytest.raises(MisfitError, match="requires 3 channels"):
            AUGMENTATIONS[name]().check_channels(1)
    else:
        AUGMENTATIONS[name]().check_channels(1)
