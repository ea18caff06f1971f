"""Every layer has a group, for lists of all layers."""

from cifar_dsl.operations.layers import LAYERS


def test_each_layer_has_a_group_and_groups_have_several() -> None:
    groups = {name: LAYERS.group(name) for name in LAYERS}
    assert groups["conv"] == "Convolutions"
    assert all(groups.values())
    assert len(set(groups.values())) < len(groups) / 4
