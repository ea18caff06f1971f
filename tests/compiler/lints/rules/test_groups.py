"""W0402: groups with more epochs than the training."""

import pytest
from helpers.findings import codes_and_places, inspected

HEAD = """\
arch base
input 3x32x32
model { conv(8, 3) -> relu -> global_avgpool -> dense(10) }
"""


def text_of(epochs: str, of_group: str) -> str:
    group = f"group head {{ select matrix\n {of_group}\n }}"
    return HEAD + f"train {{\n data cifar10\n epochs {epochs}\n batch 64\n optimizer adam(lr=1e-3)\n {group}\n}}\n"


def derived(settings: str) -> str:
    return f'arch derived extends "base.arch"\ntrain {{ {settings} }}\n'


@pytest.mark.parametrize(
    ("epochs", "of_group", "places"),
    [
        ("4", "epochs 8", ["epochs 8"]),
        ("4", "epochs 4.5", ["epochs 4.5"]),
        ("0.5", "epochs 1", ["epochs 1"]),
        ("4", "epochs 4", []),
        ("4", "epochs 0.7", []),
        ("4", "schedule linear", []),
    ],
)
def test_a_group_with_more_epochs_than_the_training(epochs: str, of_group: str, places: list[str]) -> None:
    assert codes_and_places(text_of(epochs, of_group)) == [("W0402", place) for place in places]


def test_the_spec_that_sets_the_wrong_one_is_named() -> None:
    base = text_of("4", "epochs 3")
    assert codes_and_places(derived("epochs 2"), base=base) == [("W0402", "epochs 2")]
    assert codes_and_places(derived("group head { epochs 5 }"), base=base) == [("W0402", "epochs 5")]
    assert codes_and_places(derived("batch 32"), base=text_of("4", "epochs 8")) == []


def test_both_pieces_of_advice_work() -> None:
    (diagnostic,) = inspected(text_of("4", "epochs 8")).diagnostics
    assert diagnostic.help == ("write `epochs 4` in the group, or train for 8 epochs",)
    assert codes_and_places(text_of("4", "epochs 4")) == []
    assert codes_and_places(text_of("8", "epochs 8")) == []
