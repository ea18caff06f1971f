"""Equality of operations, and the example in the docstring of their class."""

import doctest

import pytest
from helpers.specs import graph_of

from cifar_dsl import ir
from cifar_dsl.ir import Operation
from cifar_dsl.operations.layers import INITIALIZERS, LAYERS


def test_the_docstring_example_is_correct() -> None:
    (example,) = doctest.DocTestFinder(recurse=False).find(Operation, "Operation", globs={"Shape": ir.Shape})
    assert len(example.examples) > 5
    assert doctest.DocTestRunner().run(example).failed == 0


def operation(stage: str) -> Operation:
    return graph_of(stage).nodes[-1].operation


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("conv(8, 3)", "conv(8, 3x3, bias=true)"),
        ("conv(8, 3, pad=same)", "conv(8, 3, pad=1)"),
        ("conv(8, 3, init=normal)", "conv(8, 3, init=normal(std=0.02))"),
        ("maxpool(2)", "maxpool(2, stride=2)"),
        ("pad_image([1, 1, 2, 2])", "pad_image(1x2)"),
        ("lppool(2, 2, 2)", "lppool(2.0, 2)"),
    ],
)
def test_spellings_of_one_operation_are_equal(one: str, other: str) -> None:
    assert operation(one) == operation(other)
    assert hash(operation(one)) == hash(operation(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("conv(8, 3)", "conv(8, 5)"),
        ("conv(8, 3, init=normal)", "conv(8, 3, init=normal(std=0.03))"),
        ("scale(0.1)", "scale(0.10000000000000002)"),  # too close to see in print
        ("relu", "relu6"),
    ],
)
def test_different_operations_are_not_equal(one: str, other: str) -> None:
    assert operation(one) != operation(other)


def test_number_types_differ_as_in_the_fingerprint() -> None:
    lppool, constant = LAYERS["lppool"], INITIALIZERS["constant"]
    assert len({lppool(p=3, kernel=(2, 2)), lppool(p=3.0, kernel=(2, 2))}) == 2
    assert constant(value=1) != constant(value=True)
    assert constant(value=1) != 1
