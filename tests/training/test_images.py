"""Stored bytes are normalized as a recipe declares."""

import numpy as np
import pytest
import torch
from helpers.tolerances import SAME_FORMULA

from cifar_dsl.compiler import analyze_text
from cifar_dsl.operations.recipe import NORMALIZATIONS
from cifar_dsl.training.images import Images, load_images

SPEC = """
arch any
input 3x5x4
model { flatten -> dense(2) }
train {
    data npz("00")
    epochs 1
    batch 1
    optimizer sgd(lr=1)
}
"""
LABELS = np.array([0, 1] * 10)


def pictures(seed: int, count: int = 20) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(0, [[[[80, 160, 256]]]] * count, (count, 5, 4, 3)).astype(np.uint8)


def load(normalize: str, train: np.ndarray, test: np.ndarray) -> tuple[Images, Images]:
    recipe = analyze_text(SPEC, overrides=[f"train.normalize={normalize}"]).recipe
    assert recipe is not None
    splits = load_images(recipe, (train, LABELS), (test, LABELS), torch.device("cpu"))
    return splits.train, splits.test


@pytest.mark.parametrize(
    ("normalize", "expected"),
    [
        ("unit", lambda x, _: x / 255),
        ("signed", lambda x, _: x / 127.5 - 1),
        ("per_channel", lambda x, train: (x - train.mean((0, 1, 2))) / train.std((0, 1, 2))),
        ("standardize([0.5, 0.4, 0.3], [0.2, 0.3, 0.4])", lambda x, _: (x / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.3, 0.4]),
    ],
)
def test_images_are_normalized_as_declared(normalize, expected):
    train, test = pictures(0), pictures(1)
    for split, images in zip((train, test), load(normalize, train, test), strict=True):
        wanted = torch.from_numpy(expected(split.astype(np.float64), train.astype(np.float64))).permute(0, 3, 1, 2)
        torch.testing.assert_close(images.batch(torch.arange(20)), wanted.float(), **SAME_FORMULA)


def test_the_counts_of_classes_are_those_of_the_images_that_are_trained_on():
    labels = np.repeat([0, 1, 3], [10, 6, 4])
    recipe = analyze_text(SPEC, overrides=["train.validation=10"]).recipe
    assert recipe is not None
    splits = load_images(recipe, (pictures(0), labels), (pictures(1), LABELS), torch.device("cpu"))
    assert splits.validation is not None
    for split in (splits.train, splits.test, splits.validation):
        assert split.class_images == (5, 3, 0, 2)


def test_every_declared_normalization_is_among_those_tested():
    elsewhere = {"gcn", "zca"}  # in test_zca.py
    assert set(NORMALIZATIONS) - elsewhere == {"unit", "signed", "per_channel", "standardize"}


def test_normalized_training_images_have_mean_0_and_deviation_1():
    train, _ = load("per_channel", pictures(0), pictures(1))
    batch = train.batch(torch.arange(20))
    torch.testing.assert_close(batch.mean((0, 2, 3)), torch.zeros(3), **SAME_FORMULA)
    torch.testing.assert_close(batch.std((0, 2, 3), correction=0), torch.ones(3), **SAME_FORMULA)


def test_test_images_do_not_affect_the_statistics():
    train, _ = load("per_channel", pictures(0), pictures(1))
    again, _ = load("per_channel", pictures(0), np.zeros_like(pictures(1)))
    assert torch.equal(train.scale, again.scale)
    assert torch.equal(train.offset, again.offset)


def test_a_constant_channel_becomes_0():
    train = pictures(0)
    train[..., 1] = 77
    images, _ = load("per_channel", train, pictures(1))
    batch = images.batch(torch.arange(20))
    assert batch.isfinite().all()
    torch.testing.assert_close(batch[:, 1], torch.zeros(20, 5, 4), **SAME_FORMULA)


def test_images_stay_bytes_in_memory_and_a_batch_is_channels_last():
    images, _ = load("unit", pictures(0), pictures(1))
    assert images.pixels.dtype == torch.uint8
    assert images.pixels.shape == (20, 5, 4, 3)
    batch = images.batch(torch.arange(6))
    assert batch.shape == (6, 3, 5, 4)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)


def test_a_batch_holds_the_requested_images_in_order():
    images, _ = load("unit", pictures(0), pictures(1))
    index = torch.tensor([3, 0, 3, 19])
    assert torch.equal(images.batch(index), torch.stack([images.batch(torch.tensor([i]))[0] for i in index]))
