"""Differences of recipes, setting by setting."""

import pytest
from helpers.specs import TRAIN, text_of

from cifar_dsl.compiler import analyze_text
from cifar_dsl.operations.recipe import SETTINGS
from cifar_dsl.views.difference import as_lines, difference

MODEL = "flatten -> dense(10)"
GROUP = "group slow {\n select bias\n optimizer adam(1e-4)\n}\n"


def training_lines(before: str, after: str) -> list[str]:
    """The lines about two recipes: the usual settings, extended or overridden by these."""
    texts = []
    for settings in (before, after):
        names = [line.split()[0] for line in settings.splitlines() if not line.startswith(" ")]
        usual = [line for line in TRAIN.splitlines()[1:-1] if line.split()[0] not in names]
        train = "\n".join(["train {", *usual, settings, "}"])
        texts.append(text_of(MODEL, train, "3x32x32"))
    lines = as_lines(difference(*map(analyze_text, texts)))
    if "train" not in lines:
        return lines
    assert "network: unchanged" in lines
    return [line.strip() for line in lines[lines.index("train") + 1 :]]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("batch 8", "batch 16", ["batch: 8 -> 16"]),
        ("epochs 1", "epochs 1.5", ["epochs: 1 -> 1.5"]),
        ("optimizer adam(1e-3)", "optimizer adam(3e-4)", ["optimizer.lr: 0.001 -> 0.0003"]),
        ("optimizer adam(1e-3)", "optimizer sgd(0.1)", ["optimizer: adam(lr=0.001) -> sgd(lr=0.1)"]),
        ("", "clip norm(1.0)", ["clip: none -> norm(limit=1)"]),
        ("", "augment flip", ["augment: + flip"]),
        ("augment crop(4) -> flip", "augment crop(2) -> flip", ["augment.crop.padding: 4 -> 2"]),
        ("augment crop(4) -> flip", "augment flip", ["augment: - crop"]),
        ("augment crop -> flip", "augment flip -> crop", ["augment, in another order: crop, flip -> flip, crop"]),
        (GROUP, GROUP.replace("1e-4", "1e-5"), ["group slow.optimizer.lr: 0.0001 -> 1e-05"]),
        (GROUP, GROUP.replace("bias", "matrix"), ["group slow.select: [bias] -> [matrix]"]),
        (GROUP, "", ["group slow: - select [bias], optimizer adam(lr=0.0001), schedule constant, constrain none"]),
        (GROUP, GROUP.replace("select", "epochs 0.5\n select"), ["group slow.epochs: + 0.5"]),
        (GROUP, GROUP.replace("slow", "renamed"), ["no difference in meaning"]),
    ],
)  # fmt: skip
def test_settings_are_compared_down_to_arguments(before, after, expected):
    assert training_lines(before, after) == expected


def test_groups_in_another_order_differ():
    other = "group fast {\n select matrix\n optimizer adam(1e-2)\n}\n"
    assert training_lines(GROUP + other, other + GROUP) == ["groups, in another order: slow, fast -> fast, slow"]


@pytest.mark.parametrize("turned", [False, True])
def test_one_recipe_alone_is_told_in_short(turned):
    texts = [text_of(MODEL, "", "3x32x32"), text_of(MODEL, TRAIN, "3x32x32").replace("arch test", "arch whole")]
    found = difference(*map(analyze_text, texts[::-1] if turned else texts))
    assert as_lines(found)[-1] == "  only whole has a recipe"
    assert [change.setting for change in found.training] == list(SETTINGS)
