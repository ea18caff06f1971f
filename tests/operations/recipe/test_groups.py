"""Which parameters belong to which group."""

import attrs
import pytest

from cifar_dsl.compiler import analyze_text
from cifar_dsl.ir import Group
from cifar_dsl.operations.recipe.groups import assign, matches

SPEC = """
arch grouped
input 3x8x8
block unit(c) { conv(c, 3, pad=1) -> bn -> prelu }
model {
    conv(4, 3, frozen=weight) as stem
    unit(4) -> unit(6) -> layer_scale -> scale(2)
    flatten
    dense(10)
}
train {
    data npz("00")
    epochs 2
    batch 4
    optimizer sgd(lr=1)
}
"""
EVERY = [
    "stem.bias",
    "unit.conv.weight",
    "unit.conv.bias",
    "unit.bn.weight",
    "unit.bn.bias",
    "unit.prelu.weight",
    "unit2.conv.weight",
    "unit2.conv.bias",
    "unit2.bn.weight",
    "unit2.bn.bias",
    "unit2.prelu.weight",
    "layer_scale.weight",
    "dense.weight",
    "dense.bias",
]


def assigned(*selects: tuple[str, ...]) -> dict[str, int | None]:
    analysis = analyze_text(SPEC)
    recipe = analysis.recipe
    assert recipe is not None
    groups = tuple(Group("any", select, recipe.optimizer, recipe.schedule) for select in selects)
    return assign(analysis.graph, attrs.evolve(recipe, groups=groups))


@pytest.mark.parametrize(
    ("select", "selected"),
    [
        (("filter",), {"unit.conv.weight", "unit2.conv.weight"}),
        (("matrix",), {"dense.weight"}),
        (("bias",), {path for path in EVERY if path.endswith("bias")}),
        (("scale",), {path for path in EVERY if "bn.weight" in path or "prelu" in path or "layer_scale" in path}),
        (("norm",), {path for path in EVERY if ".bn." in path}),
        (("embedding",), set()),
        (("unit.*",), {path for path in EVERY if path.startswith("unit.")}),
        (("unit*.bn.*",), {path for path in EVERY if ".bn." in path}),
        (("stem.bias",), {"stem.bias"}),
        (("STEM.bias",), set()),
        (("*",), set(EVERY)),
        (("matrix", "stem.*"), {"dense.weight", "stem.bias"}),
    ],
)
def test_a_group_selects_kinds_and_patterns(select, selected):
    groups = assigned(select)
    assert list(groups) == EVERY  # the frozen weight and the buffers are in no group, nor left to the recipe
    assert {path for path, group in groups.items() if group == 0} == selected
    assert all(group is None for path, group in groups.items() if path not in selected)


def test_the_first_matching_group_gets_a_parameter():
    groups = assigned(("norm",), ("bias",), ("*",))
    assert groups["unit.bn.bias"] == 0
    assert groups["dense.bias"] == 1
    assert groups["dense.weight"] == 2


def test_matching_of_kinds_and_patterns():
    assert matches(("filter",), "conv.weight", "filter", is_norm=False)
    assert not matches(("filter",), "dense.weight", "matrix", is_norm=False)
    assert matches(("norm",), "bn.bias", "bias", is_norm=True)
    assert matches(("bias",), "bn.bias", "bias", is_norm=True)
    assert not matches(("norm",), "conv.bias", "bias", is_norm=False)
    assert not matches((), "conv.bias", "bias", is_norm=False)
