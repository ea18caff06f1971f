"""Groups of parameters in `train`."""

from pathlib import Path

import pytest
from helpers.specs import text_of, write_specs

from cifar_dsl.compiler import analyze, analyze_text
from cifar_dsl.ir import Group, Recipe
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.language.syntax import print_spec

MODEL = text_of("conv(4, 3) -> bn -> flatten -> dense(10)", size="3x32x32")
SETTINGS = "data cifar10\nepochs 4\nbatch 8\noptimizer sgd(lr=0.1, momentum=0.9)\nschedule linear\n"


def spec(*groups: str) -> str:
    return f"{MODEL}train {{\n{SETTINGS}" + "\n".join(groups) + "\n}\n"


def recipe_of(text: str, *overrides: str) -> Recipe:
    recipe = analyze_text(text, overrides=overrides).recipe
    assert recipe
    return recipe


def group_of(text: str, *overrides: str) -> Group:
    (group,) = recipe_of(text, *overrides).groups
    return group


def codes(text: str, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        analyze_text(text, overrides=overrides)
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


def test_a_group_inherits_unset_settings() -> None:
    recipe = recipe_of(spec("group biases { select bias }"))
    assert recipe.groups == (Group("biases", ("bias",), recipe.optimizer, recipe.schedule, None),)


def test_a_group_overrides_settings() -> None:
    group = group_of(spec('group g { select [norm, "conv.*"]\noptimizer adam(lr=1e-3)\nschedule cosine\nepochs 1.5 }'))
    assert group.select == ("norm", "conv.*")
    assert (group.optimizer.name, group.schedule.name, group.epochs) == ("adam", "cosine", 1.5)


def test_a_group_overrides_a_single_argument() -> None:
    group = group_of(spec("group g { select bias\noptimizer.lr 0.5 }"))
    assert group.optimizer.arguments() | {"lr": 0.5, "momentum": 0.9} == group.optimizer.arguments()


def test_groups_keep_their_order() -> None:
    groups = recipe_of(spec("group b { select bias }", "group a { select norm }")).groups
    assert [group.name for group in groups] == ["b", "a"]


def test_the_order_of_groups_matters_and_their_names_do_not() -> None:
    def fingerprint(*groups: str) -> str:
        return analyze_text(spec(*groups)).fingerprint

    first, second = "group x { select bias }", "group y { select norm\nepochs 1 }"
    assert fingerprint(first, second) == fingerprint(first.replace("x", "other"), second)
    assert fingerprint(first, second) != fingerprint(second, first)
    assert fingerprint() != fingerprint(first)


def test_overrides_reach_groups() -> None:
    text = spec("group g { select bias }")
    group = group_of(text, "train.group.g.optimizer.lr=0.25", "train.group.g.epochs=2", "train.optimizer.momentum=0.5")
    assert (group.optimizer.arguments()["lr"], group.epochs) == (0.25, 2)
    assert group.optimizer.arguments()["momentum"] == 0.5  # inherits the final value of the recipe
    assert group_of(text, "train.group.g.select=[norm]").select == ("norm",)


def test_a_variant_changes_a_group_of_its_base(tmp_path: Path) -> None:
    variant = 'arch b extends "a.arch"\ntrain { group g { optimizer.lr 0.5 }\ngroup h { select norm } }\n'
    write_specs(tmp_path, a=spec("group g { select bias\nepochs 2 }"), b=variant)
    recipe = analyze(tmp_path / "b.arch").recipe
    assert recipe
    assert [group.name for group in recipe.groups] == ["g", "h"]
    assert (recipe.groups[0].optimizer.arguments()["lr"], recipe.groups[0].epochs) == (0.5, 2)


def test_the_resolved_spec_has_the_groups() -> None:
    analysis = analyze_text(spec('group g { select [bias, "dense.*"]\noptimizer.lr 0.5 }'))
    assert analyze_text(print_spec(analysis.program.as_spec())).fingerprint == analysis.fingerprint


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("group g { epochs 1 }", ["E0402"]),
        ("group g { select weights }", ["E0404"]),
        ('group g { select "conv weight" }', ["E0403"]),
        ("group g { select same }", ["E0404"]),
        ("group g { select bias\nlr 0.1 }", ["E0401"]),
        ("group g { select bias\noptimizer.rate 0.1 }", ["E0301"]),
        ("group g { select bias\nselect norm }", ["E0207"]),
        ("group g { select bias }\ngroup g { select norm }", ["E0207", "E0207"]),
        ("group g { select bias\nepochs -1 }", ["E0403"]),
    ],
)
def test_errors(group: str, expected: list[str]) -> None:
    assert codes(spec(group)) == expected


@pytest.mark.parametrize("override", ["train.group.h.epochs=1", "train.group.g=1", "train.group.g.lr.x=1"])
def test_overrides_of_missing_groups(override: str) -> None:
    assert codes(spec("group g { select bias }"), override)[0] in {"E0405", "E0401"}


def test_groups_and_their_selections_are_limited() -> None:
    assert codes(spec(*(f"group g{i} {{ select bias }}" for i in range(65))))[0] == "E0403"
    words = ", ".join(["bias"] * 65)
    assert codes(spec(f"group g {{ select [{words}] }}")) == ["E0403"]


CYCLE = "train.schedule=one_cycle(momentum=[0.85, 0.95])"


@pytest.mark.parametrize("optimizer", ["sgd(lr=1)", "rmsprop(lr=1)", "muon(lr=1, momentum=0, nesterov=false)"])
def test_a_schedule_sets_a_momentum_that_exists(optimizer: str) -> None:
    text = spec(f"group g {{ select filter\noptimizer {optimizer} }}")
    assert codes(text, CYCLE) == ["E0412"]
    recipe_of(text)
    recipe_of(text.replace(optimizer, optimizer.replace(", momentum=0", "").replace(")", ", momentum=0.9)")), CYCLE)


@pytest.mark.parametrize("optimizer", ["adam(lr=1)", "adamw(lr=1)", "nadam(lr=1)", "lion(lr=1)"])
def test_a_schedule_sets_the_first_beta(optimizer: str) -> None:
    recipe_of(spec(f"group g {{ select filter\noptimizer {optimizer} }}"), CYCLE)


def test_only_optimizers_in_use_need_a_momentum() -> None:
    all_groups = 'group g { select "*"\noptimizer adam(lr=1) }'
    recipe_of(spec(all_groups), CYCLE, "train.optimizer=adagrad(lr=1)")
    assert codes(spec(), CYCLE, "train.optimizer=adagrad(lr=1)") == ["E0412"]
    assert codes(spec("group g { select bias\noptimizer adagrad(lr=1) }"), CYCLE) == ["E0412"]
    recipe_of(spec("group g { select bias\noptimizer adagrad(lr=1)\nschedule linear }"), CYCLE)


def test_defaults_of_one_cycle_are_not_in_the_fingerprint() -> None:
    cycled = analyze_text(spec(), overrides=("train.schedule=one_cycle",)).fingerprint
    same = ("train.schedule=one_cycle(anneal=linear, momentum=none)",)
    assert analyze_text(spec(), overrides=same).fingerprint == cycled == "8d014eec3bc2"  # as in version 0.1.0
