"""Every message that a spec's author can see, compared with its expected text.

- `cases/E0302_groups.arch` is a spec, `cases/E0302_groups.txt` its expected rendering. A case of several files is a
  folder whose `spec.arch` is checked.
- `stages.txt` holds what layers and joins refuse, many to a file: a line of stages (for an input of 4x6x6), and below
  it, indented, the message. A new entry needs only the line of stages.

`pytest tests/language/diagnostics --update-golden` writes the expected texts; review the difference.
"""

from pathlib import Path

import pytest
from helpers.specs import errors_of, text_of

from cifar_dsl.compiler import analyze
from cifar_dsl.compiler.lints import inspect
from cifar_dsl.language.diagnostics import Diagnostic, SpecError, known_codes, render_full

CASES = Path(__file__).with_name("cases")
NAMES = sorted(path.stem for path in CASES.iterdir() if path.is_dir() or path.suffix == ".arch")
STAGES = Path(__file__).with_name("stages.txt")
ENTRIES = [entry.partition("\n") for entry in STAGES.read_text(encoding="utf-8").strip().split("\n\n")]


def spec_of(name: str) -> Path:
    return Path(name, "spec.arch") if (CASES / name).is_dir() else Path(f"{name}.arch")


def findings(path: Path) -> tuple[Diagnostic, ...]:
    """What `check` reports; for a library without mistakes, what commands report that need a model."""
    if diagnostics := inspect(path).diagnostics:
        return diagnostics
    with pytest.raises(SpecError) as caught:
        analyze(path)
    return caught.value.diagnostics


@pytest.fixture(autouse=True)
def beside_the_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)  # so that messages name files as a person would


def test_every_code_has_a_case() -> None:
    assert {name[:5] for name in NAMES} == set(known_codes())


@pytest.mark.parametrize("name", NAMES)
def test_rendering(name: str, request: pytest.FixtureRequest) -> None:
    diagnostics = findings(spec_of(name))
    rendering = "\n\n".join(map(render_full, diagnostics)) + "\n"
    expected = CASES / f"{name}.txt"
    if request.config.getoption("--update-golden"):
        expected.write_text(rendering, encoding="utf-8")
    assert rendering == expected.read_text(encoding="utf-8")
    first = diagnostics[0].code
    assert first == name[:5] or "several_mistakes" in name


def refusal(stages: str) -> str:
    """The errors of `stages`, without the excerpts and reasons that the renderings of cases show."""
    lines = []
    for error in errors_of(text_of(stages, size="4x6x6")):
        assert error.label
        places = [("at", error.label), *(("also", label) for label in error.secondary)]
        lines.append(f"{error.code} {error.message}")
        lines += [f"{word} `{label.span.text}`: {label.text}".removesuffix(": ") for word, label in places]
        lines += [f"help: {line}" for line in error.help]
    return "\n".join(f"    {line}" for line in lines)


@pytest.fixture(scope="module")
def refusals(request: pytest.FixtureRequest) -> dict[str, str]:
    """The expected text for each entry of `stages.txt`."""
    if not request.config.getoption("--update-golden"):
        return {stages: text for stages, _, text in ENTRIES}
    actual = {stages: refusal(stages) for stages, _, _ in ENTRIES}
    STAGES.write_text("\n\n".join(map("\n".join, actual.items())) + "\n", encoding="utf-8")
    return actual


@pytest.mark.parametrize("stages", [stages for stages, _, _ in ENTRIES])
def test_refusal(stages: str, refusals: dict[str, str]) -> None:
    assert refusal(stages) == refusals[stages]


def test_stages_are_listed_once() -> None:
    assert len({stages for stages, _, _ in ENTRIES}) == len(ENTRIES)


def test_every_rendering_belongs_to_a_case() -> None:
    assert sorted(path.stem for path in CASES.glob("*.txt")) == NAMES
