"""Corruptions, and what they are made of, held against SciPy."""

import numpy as np
import pytest
from helpers.tolerances import FLOAT64_SUMS
from scipy import ndimage

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.inference import corruptions
from cifar_dsl.inference.corruptions import CORRUPTIONS, corrupted

IMAGES = np.random.RandomState(0).randint(0, 256, (3, 12, 16, 3), np.uint8)
# With larger severities these change more; pixels that are random anyway can't be blurred to any degree.
SMOOTH = np.add.outer(np.zeros(3), np.add.outer(np.arange(32) * 4, np.arange(32) * 3))[..., None].repeat(3, 3) + 8
STRONGER = {"gaussian_noise", "shot_noise", "impulse_noise", "fog", "brightness", "contrast", "pixelate", "snow"}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_changes_images_the_same_way_each_time(name) -> None:
    images = SMOOTH.astype(np.uint8)
    results = [corrupted(images, name, severity) for severity in (1, 5)]
    assert all(result.shape == images.shape and result.dtype == np.uint8 for result in results)
    assert np.array_equal(results[1], corrupted(images.copy(), name, 5))
    distances = [np.abs(result.astype(int) - images).mean() for result in results]
    assert 0 < distances[0] < 60
    if name in STRONGER:
        assert distances[0] < distances[1]
    grey = corrupted(IMAGES[..., :1], name, 3)
    assert grey.shape == (3, 12, 16, 1)


@pytest.mark.parametrize("name", ["gaussian_noise", "motion_blur", "elastic_transform", "fog", "snow"])
def test_draws_depend_on_the_seed_and_the_image(name) -> None:
    same = np.broadcast_to(SMOOTH[:1], (2, 32, 32, 3)).astype(np.uint8)
    first, second = corrupted(same, name, 4)
    assert not np.array_equal(first, second)
    assert not np.array_equal(corrupted(same, name, 4, seed=1)[0], first)


def test_the_parts_of_many_images_have_other_draws(monkeypatch) -> None:
    monkeypatch.setattr(corruptions, "_PART", 2)
    same = np.broadcast_to(SMOOTH[:1], (5, 32, 32, 3)).astype(np.uint8)
    changed = corrupted(same, "gaussian_noise", 1)
    assert len({image.tobytes() for image in changed}) == 5
    assert corrupted(same[:0], "gaussian_noise", 1).shape == (0, 32, 32, 3)


def test_a_blur_is_that_of_scipy() -> None:
    values = IMAGES / 255
    expected = ndimage.gaussian_filter(values, (0, 1.3, 1.3, 0), mode="nearest")
    np.testing.assert_allclose(corruptions._gaussian(values, 1.3), expected, **FLOAT64_SUMS)
    wide = ndimage.gaussian_filter(values, (0, 6.4, 6.4, 0), mode="reflect", truncate=3)
    np.testing.assert_allclose(corruptions._gaussian(values, 6.4, "symmetric", truncate=3), wide, **FLOAT64_SUMS)


@pytest.mark.parametrize("factor", [1, 1.01, 1.11, 1.75, 2.25])
def test_a_zoom_is_that_of_scipy(factor) -> None:
    values = np.random.RandomState(1).uniform(size=(1, 32, 32, 3))
    cut = int(np.ceil(32 / factor))
    top = (32 - cut) // 2
    large = ndimage.zoom(values[0, top : top + cut, top : top + cut], (factor, factor, 1), order=1)
    trim = (len(large) - 32) // 2
    expected = large[trim : trim + 32, trim : trim + 32]
    np.testing.assert_allclose(corruptions._zoomed(values, factor)[0], expected, **FLOAT64_SUMS)


@pytest.mark.parametrize(("inside", "mode"), [(corruptions._mirrored, "mirror"), (corruptions._doubled, "reflect")])
def test_places_between_pixels_and_outside_are_those_of_scipy(inside, mode) -> None:
    values = np.random.RandomState(1).uniform(size=(2, 9, 11, 1))
    rows, columns = np.random.RandomState(2).uniform(-20, 30, size=(2, 2, 9, 11))
    found = corruptions._sampled(values, rows, columns, inside)
    for each in range(2):
        expected = ndimage.map_coordinates(values[each, ..., 0], (rows[each], columns[each]), order=1, mode=mode)
        np.testing.assert_allclose(found[each, ..., 0], expected, **FLOAT64_SUMS)


def test_formulas_of_the_authors() -> None:
    """Those without draws, computed as their code does it, for one image."""
    x = IMAGES[:1] / 255
    contrast = np.clip((x - x.mean((1, 2), keepdims=True)) * 0.4 + x.mean((1, 2), keepdims=True), 0, 1)
    assert np.array_equal(corrupted(IMAGES[:1], "contrast", 3), np.rint(255 * contrast).astype(np.uint8))
    import colorsys

    pixel = tuple(x[0, 2, 5])
    hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
    expected = np.rint(255 * np.array(colorsys.hsv_to_rgb(hue, saturation, min(1, value + 0.1))))
    assert np.array_equal(corrupted(IMAGES[:1], "brightness", 2)[0, 2, 5], expected)


@pytest.mark.parametrize(
    ("images", "name", "severity", "message"),
    [
        (IMAGES, "fogg", 1, "there is no corruption `fogg`"),
        (IMAGES, "fog", 0, "a severity is an integer from 1 to 5, not 0"),
        (IMAGES[..., :2], "fog", 1, "with 2 channels can't be corrupted"),
        (IMAGES[:, :4], "fog", 1, "images of 16x4 pixels"),
    ],
)
def test_what_cannot_be_corrupted_is_named(images, name, severity, message) -> None:
    with pytest.raises(UserError, match=message):
        corrupted(images, name, severity)
