"""Which shapes can be joined, for every pair of small shapes."""

import itertools

import pytest

from cifar_dsl.ir import Shape
from cifar_dsl.operations.layers.base import JoinError
from cifar_dsl.operations.layers.join import Add, Concat, Mul

EXTENTS = [1, 2, 3, 5]
SHAPES = [Shape(extents) for rank in (1, 2, 3) for extents in itertools.product(EXTENTS, repeat=rank)]


def joined(join: Add | Mul | Concat, *branches: Shape) -> tuple[int, ...] | None:
    """The extents of the output; None if the shapes can't be joined."""
    try:
        return join.infer(*branches).extents
    except JoinError:
        return None


@pytest.mark.parametrize(
    ("scaled", "scales"),
    [
        (Shape((5, 3, 2)), {(5, 3, 2), (5,), (5, 1, 1), (1, 3, 2)}),
        (Shape((3, 5)), {(3, 5), (5,), (1, 5), (3, 1)}),
        (Shape((5,)), {(5,)}),
    ],
    ids=str,
)
def test_a_product_broadcasts_along_channels_pixels_features_or_tokens(scaled, scales):
    smaller = [shape for shape in SHAPES if shape.elements < scaled.elements or shape == scaled]
    joinable = {shape.extents for shape in smaller if joined(Mul(), scaled, shape) == scaled.extents}
    assert joinable == scales
    assert {shape.extents for shape in smaller if joined(Mul(), shape, scaled) == scaled.extents} == scales


def test_a_sum_needs_branches_of_the_same_shape():
    for first, second in itertools.product(SHAPES, repeat=2):
        assert joined(Add(), first, second) == (first.extents if first == second else None)


def test_concatenation_needs_equal_extents_except_the_first():
    for first, second in itertools.product(SHAPES, repeat=2):
        is_possible = len(first.extents) == len(second.extents) and first.extents[1:] == second.extents[1:]
        expected = (first.extents[0] + second.extents[0], *first.extents[1:]) if is_possible else None
        assert joined(Concat(), first, second) == expected, (first, second)
