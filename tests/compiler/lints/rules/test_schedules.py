"""W0401 and W0410: learning rates that training ends too early to reach, and training that is all warm-up."""

import pytest
from helpers.findings import codes_and_places, inspected

BASE = """\
arch base
input 3x32x32
model { conv(8, 3) -> relu -> global_avgpool -> dense(10) }
train {
    data       cifar10
    epochs     10
    batch      64
    optimizer  adam(lr=1e-3)
"""


def text_of(*settings: str) -> str:
    return BASE + "".join(f"    {setting}\n" for setting in settings) + "}\n"


def derived(*settings: str) -> str:
    return 'arch derived extends "base.arch"\ntrain {\n' + "".join(f"    {setting}\n" for setting in settings) + "}\n"


@pytest.mark.parametrize(
    ("schedule", "place"),
    [
        ("step(at=[5, 10])", "[5, 10]"),
        ("step([5, 20])", "[5, 20]"),
        ("step(at=[5], warmup=11)", "11"),
        ("cosine(warmup=10.5)", "10.5"),
        ("linear(11)", "11"),
        ("piecewise(at=[0, 12], factors=[1, 0])", "[0, 12]"),
    ],
)
def test_rates_that_training_does_not_reach(schedule: str, place: str) -> None:
    assert codes_and_places(text_of(f"schedule {schedule}")) == [("W0401", place)]


@pytest.mark.parametrize(
    "schedule",
    [
        "constant",
        "cosine",
        "step(at=[5, 9])",
        "cosine(warmup=9)",
        "piecewise(at=[0, 10], factors=[1, 0])",
        "piecewise(at=[0, 4], factors=[1, 0.1])",
        "one_cycle",
    ],
)
def test_rates_that_training_reaches(schedule: str) -> None:
    assert codes_and_places(text_of(f"schedule {schedule}")) == []


@pytest.mark.parametrize("schedule", ["cosine", "constant", "step(at=[5], ", "polynomial(2, "])
def test_training_that_is_all_warm_up(schedule: str) -> None:
    call = schedule if schedule.endswith(" ") else f"{schedule}("
    assert codes_and_places(text_of(f"schedule {call}warmup=10)")) == [("W0410", "10")]


@pytest.mark.parametrize(("epochs", "code"), [(1, "W0410"), (0.5, "W0401"), (2, None)])
def test_an_override_that_does_not_fit_the_schedule_of_the_base(epochs: float, code: str | None) -> None:
    base, override = text_of("schedule cosine(warmup=1)"), f"train.epochs={epochs:g}"
    expected = [(code, override)] if code else []
    assert codes_and_places(derived(), [override], base=base) == expected
    own = [(code, "1")] if code else []
    assert codes_and_places(base, [override]) == own
    assert codes_and_places(f"# allow: W0401, W0410\n{derived()}", [override], base=base) == [
        ("W0101", one) for one in ("W0401", "W0410") if one != code
    ]


def test_a_comment_beside_the_header_allows_nothing_in_an_override() -> None:
    base = text_of("schedule cosine(warmup=1)")
    text = derived().replace("\n", "  # allow: W0410\n", 1)
    found = codes_and_places(text, ["train.epochs=1"], base=base)
    assert found == [("W0410", "train.epochs=1"), ("W0101", "W0410")]


def test_fewer_epochs_than_the_base_has() -> None:
    base = text_of("schedule step(at=[5, 8])")
    assert codes_and_places(derived("epochs 6"), base=base) == [("W0401", "epochs 6")]
    assert codes_and_places(derived("epochs 9"), base=base) == []
    assert codes_and_places(base) == []


@pytest.mark.parametrize(("setting", "place"), [("schedule step(at=[15])", "[15]"), ("schedule.warmup 15", "15")])
def test_another_schedule_than_the_base_has(setting: str, place: str) -> None:
    assert codes_and_places(derived(setting), base=text_of("schedule cosine")) == [("W0401", place)]


def test_both_are_overridden() -> None:
    text = derived("epochs 6", "schedule cosine(warmup=7)")
    assert codes_and_places(text, base=text_of("schedule step(at=[5, 8])")) == [("W0401", "7")]


def test_an_unreached_rate_of_the_base_is_reported_for_the_base() -> None:
    base = text_of("schedule step(at=[5, 20])")
    assert codes_and_places(base) == [("W0401", "[5, 20]")]
    assert codes_and_places(derived("batch 32"), base=base) == []


def test_without_a_recipe() -> None:
    assert codes_and_places("arch test\ninput 3x32x32\nmodel { flatten -> dense(10) }\n") == []


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        (("schedule cosine(warmup=12)",), "12"),
        (("epochs 3", "schedule cosine(warmup=5)"), "5"),
        (("epochs 3", "schedule cosine(warmup=2)"), None),
        (("epochs 3",), None),
    ],
)
def test_a_group(settings: tuple[str, ...], place: str | None) -> None:
    group = "group head { select matrix\n" + "\n".join(settings) + "\n}"
    assert codes_and_places(text_of(group)) == ([("W0401", place)] if place else [])


@pytest.mark.parametrize(
    ("setting", "help_text"),
    [
        ("schedule step(at=[10])", "write `epochs 11`, or change `at`"),
        ("schedule step(at=[10], warmup=12.5)", "write `epochs 12.5`, or change `at`"),
        ("schedule piecewise(at=[0, 12], factors=[1, 0])", "write `epochs 12`, or change `at`"),
        ("group head { select matrix\nepochs 3\nschedule cosine(warmup=5)\n}", "write `epochs 5`, or change `warmup`"),
        ("group head { select matrix\nschedule cosine(warmup=12)\n}", "train for 12 epochs, or change `warmup`"),
        (
            "group head { select matrix\nepochs 3\nschedule cosine(warmup=12)\n}",
            "train for 12 epochs, or change `warmup`",
        ),
    ],
)
def test_the_epochs_are_named(setting: str, help_text: str) -> None:
    (diagnostic,) = inspected(text_of(setting)).diagnostics
    assert diagnostic.message.startswith("training ends after ")
    assert diagnostic.help == (help_text,)
