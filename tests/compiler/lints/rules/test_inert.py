"""W0409: settings of a recipe that change nothing in this training."""

import pytest
from helpers.findings import codes_and_places

from cifar_dsl.operations.layers import JOINS, LAYERS

BASE = """\
arch base
input 3x32x32
model { conv(8, 3) -> relu -> add { identity | drop_path(P) } -> global_avgpool -> dense(10) }
train {
    data       cifar10
    epochs     10
    batch      64
    optimizer  adam(lr=1e-3)
"""
ALL = "group weights { select [filter, matrix]\n SETTING }\n group rest { select bias\n OTHER }"


def found(*settings: str, p: str = "0.1") -> list[str]:
    text = BASE.replace("P)", f"{p})") + "".join(f"    {setting}\n" for setting in settings) + "}\n"
    assert {code for code, _ in codes_and_places(text)} <= {"W0409"}
    return [place for _, place in codes_and_places(text)]


def groups(setting: str, other: str = "optimizer adam(lr=1)") -> str:
    return ALL.replace("SETTING", setting).replace("OTHER", other)


@pytest.mark.parametrize(
    ("p", "schedule", "places"),
    [
        ("0.1", "linear", []),
        ("0", "linear", ["drop_schedule linear"]),
        ("0", "cosine(0.5)", ["drop_schedule cosine(0.5)"]),
        ("0", "constant", []),
    ],
)
def test_a_schedule_of_probabilities_needs_one(p: str, schedule: str, places: list[str]) -> None:
    assert found(f"drop_schedule {schedule}", p=p) == places


def test_which_layers_follow_a_drop_schedule() -> None:
    one = {"drop_path": {"p": 0.1}, "drop_block": {"size": (2, 2), "p": 0.1}, "shake_drop": {"p": 0.1}}
    scheduled = [name for name, arguments in one.items() if LAYERS[name](**arguments).scheduled_drop == 0.1]
    assert scheduled == [*one]
    assert JOINS["mean"](drop=0.1).scheduled_drop == 0.1
    for name in ("dropout", "channel_dropout", "alpha_dropout"):
        assert not LAYERS[name](p=0.1).scheduled_drop


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        (["constrain max_norm(2)"], []),
        (["constrain max_norm(2)", groups("constrain none")], ["constrain max_norm(2)"]),
        (["constrain max_norm(2)", groups("constrain.limit 3")], []),  # the recipe's, with another argument
        (["constrain max_norm(2)", groups("epochs 0")], ["constrain max_norm(2)"]),
        (["constrain max_norm(2)", groups("epochs 1")], []),
        ([groups("constrain max_norm(1)")], []),
        ([groups("epochs 1", "constrain max_norm(1)")], ["constrain max_norm(1)"]),
        ([groups("epochs 1", "constrain none")], []),
    ],
)
def test_a_constraint_needs_weights_with_rows(settings: list[str], places: list[str]) -> None:
    assert found(*settings) == places


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        (["schedule cosine"], []),
        (["schedule cosine", groups("schedule linear")], []),
        (["schedule cosine", groups("schedule linear", "schedule linear")], ["schedule cosine"]),
        (["schedule constant", groups("schedule linear", "schedule linear")], []),
        (["schedule cosine", groups("schedule linear", "schedule.final 0.1")], []),
    ],
)
def test_a_schedule_needs_parameters_that_follow_it(settings: list[str], places: list[str]) -> None:
    assert found(*settings) == places


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        ([groups("epochs 0")], []),
        ([groups("epochs 0\n schedule linear")], ["schedule linear"]),
        ([groups("epochs 0\n optimizer.lr 3")], []),  # the place of the setting is the recipe's
        # A group may need a schedule of its own where the recipe's sets the momentum.
        (["schedule one_cycle(momentum=[0.85, 0.95])", groups("epochs 0\n schedule linear")], []),
    ],
)
def test_a_frozen_group_needs_no_optimizer(settings: list[str], places: list[str]) -> None:
    assert found(*settings) == places


def test_what_a_derived_spec_freezes_keeps_its_settings() -> None:
    base = BASE.replace("P)", "0.1)") + groups("optimizer sgd(lr=0.1)") + "\n}\n"
    derived = 'arch derived extends "base.arch"\ntrain { group weights { epochs 0 } }\n'
    assert codes_and_places(derived, base=base) == []


@pytest.mark.parametrize(
    ("sizes", "is_reported"),
    [("[0], [32]", True), ("[0, 20], [32, 16]", True), ("[0, 5], [16, 32]", False), ("[0, 2, 5], [32, 16, 32]", False)],
)
def test_sizes_need_a_smaller_one(sizes: str, is_reported: bool) -> None:
    resize = f"resize({sizes})"
    assert found(f"augment flip -> {resize}") == [resize] * is_reported
