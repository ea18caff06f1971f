"""Views and permutations are followed without layers."""

import pytest

from cifar_dsl.importing.layouts import Layout, LayoutError

IMAGE = Layout.of(5, (12, 4, 4))


def test_a_view_back_is_the_tensor_itself():
    tokens = IMAGE.reshaped((5, 12, 16)).permuted((0, 2, 1))
    assert tokens.permuted((0, 2, 1)).reshaped((5, 12, 4, 4)) == IMAGE


def test_heads_that_are_split_and_merged_again_are_the_channels():
    split = Layout.of(5, (16, 12)).reshaped((5, 16, 3, 4)).permuted((0, 2, 1, 3))
    assert split.permuted((0, 2, 1, 3)).reshaped((5, 16, 12)) == Layout.of(5, (16, 12))


def test_groups_in_another_order_are_not_the_channels():
    shuffled = IMAGE.reshaped((5, 3, 4, 4, 4)).permuted((0, 2, 1, 3, 4)).reshaped((5, 12, 4, 4))
    assert shuffled.shape == IMAGE.shape
    assert shuffled != IMAGE
    assert shuffled.whole_axis(1) is None


def test_a_view_that_cuts_across_axes_is_refused():
    with pytest.raises(LayoutError):
        Layout.of(5, (12, 5)).reshaped((5, 10, 6))
