"""`cifar-dsl reference`."""

from cifar_dsl.compiler.library import library_index
from cifar_dsl.operations.layers import LAYERS


def test_all_names(cli):
    outcome = cli("reference")
    assert outcome.code == 0
    assert set(LAYERS) | library_index().keys() <= set(outcome.out.replace(",", " ").split())


def test_a_layer(cli):
    outcome = cli("reference", "conv")
    assert outcome.code == 0
    assert outcome.out.startswith("2-D convolution: (C, H, W) -> (channels, H', W').\n")
    assert "| `kernel` |" in outcome.out


def test_a_block_of_the_library(cli):
    assert "block depthwise(kernel: size = 3, stride: size = 1" in cli("reference", "depthwise").out


def test_a_setting_and_its_choice(cli):
    assert cli("reference", "schedule").out.startswith("The learning rate schedule.")
    assert "Cosine decay" in cli("reference", "cosine").out


def test_an_unknown_name_suggests_the_nearest(cli):
    outcome = cli("reference", "convv")
    assert outcome.code == 2
    assert "Did you mean 'conv'?" in outcome.err
