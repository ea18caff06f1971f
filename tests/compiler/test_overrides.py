import shlex

import pytest
from helpers.specs import TRAIN, text_of

from cifar_dsl.compiler import Analysis, analyze_text
from cifar_dsl.language.diagnostics import SpecError

MODEL = text_of("flatten -> dense(head) -> dense(10)", "param head = 64", size="3x32x32")
SPEC = MODEL + TRAIN


def overridden(*texts: str, spec: str = SPEC) -> Analysis:
    return analyze_text(spec, overrides=texts)


def optimizer(*texts: str, spec: str = SPEC) -> dict[str, object]:
    recipe = overridden(*texts, spec=spec).recipe
    assert recipe
    return dict(recipe.optimizer.arguments())


def code(*texts: str, spec: str = SPEC) -> str:
    with pytest.raises(SpecError) as caught:
        overridden(*texts, spec=spec)
    return caught.value.diagnostics[0].code


def test_a_param() -> None:
    assert overridden("head=128").graph.shape_of(2).extents == (128,)


def test_a_param_may_use_expressions_and_spaces() -> None:
    assert overridden(" head = 2 * 3 ").graph.shape_of(2).extents == (6,)


def test_a_setting() -> None:
    recipe = overridden("train.batch=128", "train.clip=norm(1.0)", "train.augment=crop(4) -> flip").recipe
    assert recipe
    assert (recipe.batch, repr(recipe.clip), [call.name for call in recipe.augment]) == (
        128,
        "norm(limit=1.0)",
        ["crop", "flip"],
    )


def test_a_positional_argument() -> None:
    assert optimizer("train.optimizer.lr=0.5")["lr"] == 0.5


def test_a_named_argument() -> None:
    assert optimizer("train.optimizer.lr=0.5", spec=SPEC.replace("adam(1e-3)", "adam(lr=1e-3)"))["lr"] == 0.5


def test_a_new_argument_keeps_the_others() -> None:
    assert optimizer("train.optimizer.weight_decay=0.1")["lr"] == 1e-3
    assert optimizer("train.optimizer.weight_decay=0.1")["weight_decay"] == 0.1


def test_replacing_a_positional_argument_keeps_the_others() -> None:
    spec = SPEC.replace("adam(1e-3)", "sgd(0.1, 0.9, true)")
    changed = optimizer("train.optimizer.lr=0.2", spec=spec)
    assert (changed["lr"], changed["momentum"], changed["nesterov"]) == (0.2, 0.9, True)


def test_a_part_of_a_chain() -> None:
    spec = SPEC.replace("batch 8", "batch 8\n augment crop(4) -> flip")
    recipe = overridden("train.augment.crop.padding=2", spec=spec).recipe
    assert recipe
    assert recipe.augment[0].arguments()["padding"] == 2


def test_the_last_override_wins() -> None:
    assert overridden("head=128", "head=32").graph.shape_of(2).extents == (32,)


def test_a_recipe_may_come_from_overrides_alone() -> None:
    recipe = overridden(
        "train.data=cifar10", "train.epochs=1", "train.batch=8", "train.optimizer=sgd(0.1)", spec=MODEL
    ).recipe
    assert recipe
    assert recipe.batch == 8


def test_an_override_equals_the_edited_file() -> None:
    assert (
        overridden("head=128", "train.batch=16").fingerprint
        == overridden(spec=SPEC.replace("head = 64", "head = 128").replace("batch 8", "batch 16")).fingerprint
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("haed=1", "E0405"),
        ("head.x=1", "E0405"),
        ("head=add { identity | identity }", "E0213"),
        ("head=1 -> 2", "E0213"),
        ("batch=128", "E0405"),
        ("train.bacth=128", "E0401"),
        ("train.optimizer.lrr=1", "E0301"),
        ("train.optimizer.adam.eps.x=1", "E0405"),
        ("train.augment.crop.padding=2", "E0405"),
        ("train.clip.limit=2", "E0405"),
        ("train.batch=0", "E0403"),
        ("train.optimizer.lr=-1", "E0304"),
        ("head=width", "E0202"),
        ("head", "E0101"),
    ],
)
def test_an_override_without_effect_is_an_error(text: str, expected: str) -> None:
    assert code(text) == expected


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("batch=128", "train.batch=128"),
        ("lr=0.1", "train.optimizer.lr=0.1"),
        ("optimizer.lr=0.1", "train.optimizer.lr=0.1"),
        ("optimizer=sgd(lr=0.1)", "train.optimizer=sgd(lr=0.1)"),
        ("other=1", "train.batch=128"),
    ],
)
def test_a_setting_without_its_path_leads_to_the_override(text: str, meant: str) -> None:
    with pytest.raises(SpecError) as caught:
        overridden(text)
    (error,) = caught.value.diagnostics
    assert error.help[-1] == f"to override a setting, write `{meant}`"
    overridden(meant)


def test_stages_are_no_value_of_a_param() -> None:
    with pytest.raises(SpecError) as caught:
        overridden("head=conv(4) -> relu")
    (error,) = caught.value.diagnostics
    assert error.message == "a value is expected here, but these are stages"
    assert error.help[0].endswith("set the param to its name: `head=NAME`")


def test_every_invalid_override_is_reported() -> None:
    with pytest.raises(SpecError) as caught:
        overridden("haed=1", "train.batch.x=1", "=")
    assert len(caught.value.diagnostics) == 3
    assert {d.label.span.source.name for d in caught.value.diagnostics if d.label} == {"--set"}


@pytest.mark.parametrize(
    ("text", "advised"),
    [
        ("train.lr=0.1", "train.optimizer.lr=0.1"),
        ("train.bach=3", "train.batch=3"),
        ("train.optimizer=adm(lr=0.1)", "train.optimizer=adam(lr=0.1)"),
        ("train.mixup=0.2", "train.augment=mixup(0.2)"),
    ],
)
def test_advice_is_an_override_that_works(text: str, advised: str) -> None:
    with pytest.raises(SpecError) as caught:
        overridden(text)
    (help_text,) = caught.value.diagnostics[0].help
    assert help_text == f"write `--set {shlex.quote(advised)}`"
    assert overridden(advised).recipe


def test_advice_without_a_fix_stays_as_it_is() -> None:
    with pytest.raises(SpecError) as caught:
        overridden("hed=3")
    assert caught.value.diagnostics[0].help[0] == "did you mean `head`?"
