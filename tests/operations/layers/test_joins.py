"""Which shapes can be joined, for every pair of small shapes."""

import itertools

import pytest

from cifar_dsl.ir import Shape
from cifar_dsl.operations.layers import Join
from cifar_dsl.operations.layers.join import Add, Concat, MaxOfBranches, MeanOfBranches, Mul
from cifar_dsl.operations.registry import MisfitError

EXTENTS = [1, 2, 3, 5]
ELEMENTWISE = [Add(), Mul(), MeanOfBranches(), MaxOfBranches()]
SHAPES = [Shape(extents) for rank in (1, 2, 3) for extents in itertools.product(EXTENTS, repeat=rank)]


def joined(join: Join, *branches: Shape) -> tuple[int, ...] | None:
    """The extents of the output; None if the shapes can't be joined."""
    try:
        return join.infer(*branches).extents
    except MisfitError:
        return None


def aligned(extents: tuple[int, ...], rank: int) -> tuple[int, ...] | None:
    """The extents with 1 for the missing axes: a vector is one of channels or features. None for tokens and images."""
    if len(extents) == rank:
        return extents
    return {2: (1, *extents), 3: (*extents, 1, 1)}[rank] if len(extents) == 1 else None


def broadcast(*branches: Shape) -> tuple[int, ...] | None:
    """The rules by hand: every extent is 1 or that of the output."""
    rank = max(len(branch.extents) for branch in branches)
    parts = [aligned(branch.extents, rank) for branch in branches]
    if None in parts:
        return None
    joined = tuple(map(max, *parts)) if len(parts) > 1 else parts[0]
    fits = all(extent in {1, most} for part in parts for extent, most in zip(part, joined, strict=True))
    return joined if fits else None


@pytest.mark.parametrize("join", ELEMENTWISE, ids=lambda join: join.name)
def test_extents_of_one_stretch(join: Join) -> None:
    for first, second in itertools.product(SHAPES, repeat=2):
        assert joined(join, first, second) == broadcast(first, second), (first, second)


@pytest.mark.parametrize("join", ELEMENTWISE, ids=lambda join: join.name)
def test_three_branches_stretch_to_all_of_each_other(join: Join) -> None:
    few = [shape for shape in SHAPES if set(shape.extents) <= {1, 2, 3}]
    for branches in itertools.product(few[::2], few[::3], few[::5]):
        assert joined(join, *branches) == broadcast(*branches), branches


def test_a_vector_meets_channels_or_features_and_never_columns() -> None:
    assert joined(Add(), Shape((5,)), Shape((5, 3, 2))) == (5, 3, 2)
    assert joined(Add(), Shape((5,)), Shape((3, 5))) == (3, 5)
    assert joined(Add(), Shape((2,)), Shape((5, 3, 2))) is None
    assert joined(Add(), Shape((3,)), Shape((3, 5))) is None
    assert joined(Mul(), Shape((5, 3, 1)), Shape((5, 1, 2))) == (5, 3, 2)
    assert joined(Mul(), Shape((1,)), Shape((4,)), Shape((1, 2, 2))) == (4, 2, 2)


def test_the_stretched_branches_are_known() -> None:
    assert Mul().stretched(Shape((5, 3, 1)), Shape((5, 3, 2)), Shape((5,))) == (0, 2)
    assert Add().stretched(Shape((5, 3)), Shape((5, 3))) == ()
    assert Concat().stretched(Shape((5, 3)), Shape((1, 3))) == ()


@pytest.mark.parametrize("over", ["channels", "rows", "columns", "tokens", "features"])
def test_concatenation_along_a_named_axis(over: str) -> None:
    words = {1: ["features"], 2: ["tokens", "features"], 3: ["channels", "rows", "columns"]}
    for first, second in itertools.product(SHAPES, repeat=2):
        expected = None
        if len(first.extents) == len(second.extents) and over in (names := words[len(first.extents)]):
            axis = names.index(over)
            pairs = [*zip(first.extents, second.extents, strict=True)]
            if all(one == other for i, (one, other) in enumerate(pairs) if i != axis):
                expected = tuple(sum(pair) if i == axis else pair[0] for i, pair in enumerate(pairs))
        assert joined(Concat(over=over), first, second) == expected, (first, second)


def test_concatenation_needs_equal_extents_except_the_first():
    for first, second in itertools.product(SHAPES, repeat=2):
        is_possible = len(first.extents) == len(second.extents) and first.extents[1:] == second.extents[1:]
        expected = (first.extents[0] + second.extents[0], *first.extents[1:]) if is_possible else None
        assert joined(Concat(), first, second) == expected, (first, second)
