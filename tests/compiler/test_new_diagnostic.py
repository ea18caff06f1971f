"""A new diagnostic takes a section of docs/diagnostics.md and the function that reports it, nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.specs import write_specs

from cifar_dsl.cli.main import main
from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.lints import registry
from cifar_dsl.foundation.resources import diagnostics_path
from cifar_dsl.language.diagnostics import Diagnostic, Label, Reporter, known_codes, render_full
from cifar_dsl.language.source import Source, Span

PAGE = """
## W0999: network without a nickname

> a nickname is easier to remember

Give the network a nickname in the comment above its head.

## E0999: number that is too round

Use a number that is less round.
"""
SPEC = "arch a\ninput 3x32x32\nmodel { flatten -> dense(10) }\n"


@pytest.fixture(autouse=True)
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the new codes on the page."""
    page = tmp_path / "diagnostics.md"
    page.write_text(diagnostics_path().read_text(encoding="utf-8") + PAGE, encoding="utf-8")
    monkeypatch.setattr("cifar_dsl.language.diagnostics.codes.diagnostics_path", lambda: page)
    known_codes.cache_clear()
    yield
    known_codes.cache_clear()


@pytest.fixture
def lint() -> Iterator[None]:
    """Register the new function as a lint."""

    @registry.network_lint
    def nicknames(analysis: Analysis) -> Iterator[Diagnostic]:
        name = analysis.program.name
        yield Diagnostic("W0999", f"`{name}` has no nickname", Label(name.span), help=("think of one",))

    yield
    registry.NETWORK_LINTS.remove(nicknames)


@pytest.mark.usefixtures("lint")
def test_check_reports_a_new_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = write_specs(tmp_path, a=SPEC)
    assert main(["check", "--format", "json", str(spec)]) == 0
    (finding,) = json.loads(capsys.readouterr().out)
    assert (finding["code"], finding["severity"]) == ("W0999", "warning")
    assert (finding["title"], finding["why"]) == ("network without a nickname", "a nickname is easier to remember")
    assert main(["check", "--strict", str(spec)]) == 1


@pytest.mark.usefixtures("lint")
def test_a_comment_allows_a_new_warning(tmp_path: Path) -> None:
    assert main(["check", "--strict", str(write_specs(tmp_path, a=f"# allow: W0999\n{SPEC}"))]) == 0


def test_explain_prints_its_section(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "W0999"]) == 0
    expected = "W0999: network without a nickname\n\nGive the network a nickname in the comment above its head.\n"
    assert capsys.readouterr().out == expected
    assert main(["explain"]) == 0
    assert "  E0999  number that is too round\n" in capsys.readouterr().out


def test_the_compiler_reports_a_new_error() -> None:
    reporter = Reporter()
    reporter.error("E0999", "100 is too round", Span(Source("a.arch", "dense(100)"), 6, 9), help="use 101")
    lines = render_full(reporter.diagnostics[0]).splitlines()
    assert lines[0] == "error[E0999]: 100 is too round"
    assert lines[-2:] == ["  |", "  = help: use 101"]  # without a reason on the page there is no `why`


def test_the_trial_leaves_nothing_behind() -> None:
    assert all(lint.__module__.startswith("cifar_dsl.") for lint in (*registry.TEXT_LINTS, *registry.NETWORK_LINTS))
