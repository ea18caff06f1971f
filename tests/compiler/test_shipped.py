"""The eight specs of the reference table, whose parameter counts were published."""

import pytest
from helpers.specs import SHIPPED

from cifar_dsl.compiler import analyze, changes
from cifar_dsl.foundation.resources import specs_directory

PUBLISHED = {
    "baseline": 122_570,
    "wider": 586_250,
    "deeper": 715_018,
    "batchnorm_before": 122_890,
    "batchnorm_after": 122_890,
    "residual": 212_714,
    "gradient_clipping": 122_570,
    "batch_128": 122_570,
}
LINES = {"baseline": 25, "residual": 16}


def test_all_eight_are_there() -> None:
    assert {path.stem for path in SHIPPED} == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_the_published_ones(name: str) -> None:
    assert analyze(specs_directory() / f"{name}.arch").graph.cost.parameters == PUBLISHED[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_is_short(name: str) -> None:
    lines = (specs_directory() / f"{name}.arch").read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    assert len(code) <= LINES.get(name, 8)


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_is_named_after_its_file_and_trains_on_cifar10(name: str) -> None:
    analysis = analyze(specs_directory() / f"{name}.arch")
    assert analysis.program.name.text == name
    assert analysis.recipe
    assert analysis.recipe.data.name == "cifar10"


def test_fingerprints_are_distinct() -> None:
    assert len({analyze(path).fingerprint for path in SHIPPED}) == len(SHIPPED)


def test_fingerprints_never_change() -> None:
    # Users' existing runs are found by these fingerprints.
    assert analyze(specs_directory() / "baseline.arch").fingerprint == "c2103d66e59b"
    assert analyze(specs_directory() / "residual.arch").fingerprint == "7cce53dd9b4d"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("baseline", ()),
        ("wider", ("head = [512]",)),
        ("batchnorm_before", ("unit: conv(c, 3) -> bn -> relu",)),
        ("gradient_clipping", ("clip norm(1.0)",)),
        ("batch_128", ("batch 128",)),
        ("residual", ("new unit", "new model")),
    ],
)
def test_changes_list_the_differences_from_the_base(name: str, expected: tuple[str, ...]) -> None:
    assert changes(analyze(specs_directory() / f"{name}.arch").program) == expected
