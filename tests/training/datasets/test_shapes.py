"""The embedded dataset is reproducible, balanced, and not separable by color alone."""

import numpy as np
import pytest

from cifar_dsl.training.datasets import Dataset, load_dataset
from cifar_dsl.training.datasets.shapes import CHUNK, normals, shapes


@pytest.fixture(scope="module")
def small() -> Dataset:
    return shapes(n_train=1000, n_test=500)


def test_arrays_have_the_declared_types_and_shapes(small):
    assert small.x_train.shape == (1000, 32, 32, 3)
    assert small.x_test.shape == (500, 32, 32, 3)
    assert small.x_train.dtype == np.uint8
    assert small.y_train.dtype == np.int64
    assert small.x_train.flags.c_contiguous
    assert small.image_shape == (3, 32, 32)
    assert len(small.classes) == 10


def test_splits_are_balanced(small):
    assert np.bincount(small.y_train).tolist() == [100] * 10
    assert np.bincount(small.y_test).tolist() == [50] * 10


def test_pictures_are_the_same_bytes_in_every_release():
    assert shapes(200, 100).digest == "05d0c796ee818c49d3c216806951a8e698e5a9e6496f7a4441e048858d8fd3c3"


def test_a_picture_does_not_depend_on_how_many_are_drawn(small):
    fewer = shapes(n_train=CHUNK + 7, n_test=3)
    assert np.array_equal(fewer.x_train, small.x_train[: CHUNK + 7])
    assert np.array_equal(fewer.x_test, small.x_test[:3])
    assert np.array_equal(fewer.y_train, small.y_train[: CHUNK + 7])


def test_no_picture_occurs_twice(small):
    pictures = [image.tobytes() for image in (*small.x_train, *small.x_test)]
    assert len(set(pictures)) == 1500


def test_mean_color_does_not_reveal_the_class(small):
    train, test = (x.mean((1, 2)) for x in (small.x_train, small.x_test))
    centroids = np.stack([train[small.y_train == label].mean(0) for label in range(10)])
    nearest = np.square(test[:, None] - centroids).sum(2).argmin(1)
    assert np.mean(nearest == small.y_test) < 0.2


def test_the_middle_of_a_class_is_lighter_than_its_border(small):
    """The shape is near the middle, and lighter than the ground."""
    mean = small.x_train.mean((0, 3))
    assert mean[8:24, 8:24].mean() > mean[[0, -1]].mean() + 10


def test_shapes_are_loaded_by_name_in_full():
    dataset = load_dataset("shapes")
    assert (len(dataset.x_train), len(dataset.x_test)) == (10_000, 2_000)
    assert dataset.name == "shapes"
    assert dataset.origin == "drawn procedurally"


@pytest.mark.parametrize("n", [3, 5])
def test_constants_do_not_depend_on_the_last_digits_of_a_sine(n):
    for value in np.ravel(normals(n)):
        for direction in (-np.inf, np.inf):
            other = value
            for _ in range(4):
                other = np.nextafter(other, direction)
            assert value == 0 or np.float32(other) == np.float32(value)
