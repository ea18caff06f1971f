"""`cifar-dsl reference`."""

import pytest

from cifar_dsl.compiler.library import library_index
from cifar_dsl.operations.layers import LAYERS
from cifar_dsl.operations.recipe import SETTINGS


@pytest.fixture(autouse=True)
def width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_the_index_fits_on_a_screen(cli):
    outcome = cli("reference")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 80
    assert set(LAYERS) | SETTINGS.keys() <= set(outcome.out.replace(",", " ").split())


def test_each_word_of_the_index_lists_all_of_its_line(cli):
    listed = cli("reference", "library").out
    assert [line.split()[0] for line in listed.splitlines() if line[:1].strip()] == list(library_index())
    for line in cli("reference").out.splitlines()[:-2]:
        if line[:1].strip():
            assert cli("reference", line.split()[0]).code == 0


def test_a_layer_has_signature_arguments_example_and_shapes(cli):
    outcome = cli("reference", "conv")
    assert outcome.code == 0
    assert outcome.out.startswith("layer conv(channels, kernel, stride=1, pad=0, ")
    assert "\n2-D convolution: (C, H, W) -> (channels, H', W').\n" in outcome.out
    assert "\n  channels   output channels (an integer of at least 1; required)\n" in outcome.out
    assert "\n  conv(32, 3, stride=2, pad=1, bias=false) -> bn -> relu\n" in outcome.out
    assert "\n  relu                                      32x16x16\n" in outcome.out


def test_colour_is_for_terminals(cli):
    assert "\x1b" not in cli("reference", "conv").out
    assert cli("--color", "always", "reference", "relu").out.startswith("\x1b[1mlayer relu\x1b[0m\n")


def test_pages_follow_the_width_of_the_terminal(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = cli("reference", "dense").out.partition("Example")[0]
    assert max(len(line) for line in text.splitlines() if "://" not in line) <= 40


def test_a_name_of_several_things_has_a_page_for_each(cli):
    out = cli("reference", "mean").out
    assert out.startswith("layer mean(axes -> axes)\n")
    assert "\n\njoin mean(drop=0, global_share=0) { ... | ... }\n" in out


def test_a_block_of_the_library(cli):
    assert "block depthwise(kernel: size = 3, stride: size = 1" in cli("reference", "depthwise").out


def test_a_setting_and_its_choice(cli):
    out = cli("reference", "schedule").out
    assert out.startswith("setting schedule\n\nThe learning rate schedule.\n\n")
    assert "\n\nValue: one of the choices below. Default: `constant`.\n\nChoices:\n" in out
    assert "\n  cosine " in out
    assert "Cosine decay" in cli("reference", "cosine").out


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("convv", "Did you mean 'conv'?"),
        ("layer", "Did you mean 'layers'?"),
        ("e0302", "`cifar-dsl explain E0302` explains this code."),
        ("momentum", "It is an argument of bn, sgd, rmsprop, muon and one_cycle: `cifar-dsl reference bn`."),
        ("qwertyuiop", "`cifar-dsl reference` lists all names."),
    ],
)
def test_an_unknown_name_leads_on(cli, name, advice):
    outcome = cli("reference", name)
    assert outcome.code == 2
    assert advice in " ".join(outcome.err.split())
