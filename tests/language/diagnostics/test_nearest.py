"""The known name that is suggested for an unknown one."""

import pytest

from cifar_dsl.language.diagnostics import nearest

KNOWN = ["dense", "dense_layer", "conv", "global_avgpool", "maxpool", "relu"]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Conv", "conv"),
        ("max_pool", "maxpool"),
        ("cnov", "conv"),
        ("den", "dense"),
        ("glavg", "global_avgpool"),
        ("g_a", None),  # two letters abbreviate anything
        ("glbavg", None),
        ("transformer", None),
    ],
)
def test_spellings(name, known):
    assert nearest(name, KNOWN) == known


def test_many_ways_to_abbreviate_take_no_time():
    assert nearest("a" * 40, ["_".join(["aaa"] * 25)]) == "_".join(["aaa"] * 25)
    assert nearest("a" * 40 + "b", ["_".join(["aaa"] * 25)]) is None


def test_long_names_resemble_none():
    assert nearest("x" * 100_000, KNOWN) is None
    assert nearest("conv1", ["x" * 100_000, *KNOWN]) == "conv"
