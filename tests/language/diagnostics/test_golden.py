"""Every message that a spec's author can meet, error or warning, held against its whole expected rendering.

`cases/E0302_groups.arch` stands beside `cases/E0302_groups.txt`. A case of several files is a folder whose
`spec.arch` is checked. `pytest tests/language/diagnostics --update-golden` writes the renderings anew.
"""

from pathlib import Path

import pytest

from cifar_dsl.compiler import analyze
from cifar_dsl.compiler.lints import inspect
from cifar_dsl.language.diagnostics import Diagnostic, SpecError, known_codes, render_full

CASES = Path(__file__).with_name("cases")
NAMES = sorted(path.stem for path in CASES.iterdir() if path.is_dir() or path.suffix == ".arch")


def spec_of(name: str) -> Path:
    return Path(name, "spec.arch") if (CASES / name).is_dir() else Path(f"{name}.arch")


def findings(path: Path) -> tuple[Diagnostic, ...]:
    """What `check` says; of a library that is right, what the commands say that work with a model."""
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


def test_every_rendering_belongs_to_a_case() -> None:
    assert sorted(path.stem for path in CASES.glob("*.txt")) == NAMES


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
