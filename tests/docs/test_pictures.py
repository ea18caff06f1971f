"""The pictures and figures of README.md are those of the code and of docs/results today."""

from pathlib import Path

import pytest

from cifar_dsl.experiments.comparison.effects import Interval, Verdict
from cifar_dsl.experiments.comparison.rows import Row
from cifar_dsl.foundation.records import evolve
from website import badges, figures, terminal


def test_the_terminal_shows_what_the_commands_print() -> None:
    assert terminal.PICTURE.read_text(encoding="utf-8") == terminal.drawn(figures.comparison()), (
        "run `python -m website.figures`"
    )


@pytest.mark.parametrize("page", [figures.README, figures.RESULTS])
def test_the_tables_of_the_eight_specs_have_the_recorded_figures(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == figures.updated(text), "run `python -m website.figures`"


def _changed(**found: tuple[Interval | None, Verdict]) -> list[Row]:
    """The recorded rows, some with another interval and verdict."""
    rows = list(figures.comparison().rows)
    for i, row in enumerate(rows):
        if row.name in found:
            assert row.effect
            interval, verdict = found[row.name]
            rows[i] = evolve(row, effect=evolve(row.effect, simultaneous=interval, verdict=verdict))
    return rows


def test_the_findings_are_the_verdicts() -> None:
    rows = _changed(
        wider=((-0.03, -0.01), "worse"),
        deeper=((0.01, 0.03), "better"),
        residual=((0.01, 0.02), "better"),
        batch_128=((-0.01, 0.01), "equivalent"),
        batchnorm_before=(None, "open"),
        batchnorm_after=(None, "open"),
        gradient_clipping=(None, "open"),
    )
    shown = figures.summary(rows)
    assert "| -3.0 to -1.0 |" in shown
    assert "- Shown to help: `deeper`, `residual`.\n" in shown
    assert "- Shown to harm: `wider`.\n" in shown
    assert "- Shown to be within a point of the baseline: `batch_128`.\n" in shown
    assert "- Not decided yet: `batchnorm_before`, `batchnorm_after`, `gradient_clipping`.\n" in shown


def test_a_published_gain_is_held_against_the_interval() -> None:
    rows = _changed(  # published gains: +3.7, +2.7, +4.7, +4.0, +10.5, +2.3, +0.2
        wider=((-0.03, -0.01), "worse"),
        deeper=((0.01, 0.02), "better"),
        batchnorm_before=((0.05, 0.06), "better"),
        batchnorm_after=((-0.01, 0.03), "open"),
        residual=((0.08, 0.12), "better"),
        gradient_clipping=((-0.01, 0.03), "open"),
        batch_128=(None, "open"),
    )
    lines = [line.strip("| ").split(" | ") for line in figures.claims(rows).splitlines()[3:]]
    assert {cells[0]: cells[-1] for cells in lines} == {
        "wider": "is a loss",
        "deeper": "is smaller",
        "batchnorm_before": "is larger",
        "batchnorm_after": "is smaller, if there is one",
        "residual": "holds",
        "gradient_clipping": "is undecided",
        "batch_128": "is undecided",
    }


def test_the_badges_state_what_pyproject_declares() -> None:
    for name, text in badges.badges().items():
        assert (badges.FOLDER / name).read_text(encoding="utf-8") == text, "run `python -m website.badges`"
