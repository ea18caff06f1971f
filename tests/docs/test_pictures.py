"""The pictures and figures of README.md are those of the code and of docs/results today."""

from cifar_dsl.foundation.records import evolve
from website import badges, figures, terminal


def test_the_terminal_shows_what_the_commands_print() -> None:
    assert terminal.PICTURE.read_text(encoding="utf-8") == terminal.drawn(figures.comparison()), (
        "run `python -m website.figures`"
    )


def test_the_table_of_the_eight_specs_has_the_recorded_figures() -> None:
    text = figures.README.read_text(encoding="utf-8")
    assert text == figures.updated(text), "run `python -m website.figures`"


def test_the_findings_follow_from_the_intervals() -> None:
    rows = list(figures.comparison().rows)
    intervals = {"wider": (-0.03, -0.01), "deeper": (0.01, 0.03), "residual": None}
    changed = [
        evolve(row, effect=evolve(row.effect, simultaneous=intervals[row.name])) if row.name in intervals else row
        for row in rows
    ]
    shown = figures.summary(changed)
    assert "| -3.0 to -1.0 |" in shown
    assert "- Shown to help: `deeper`, `batchnorm_before`, `batchnorm_after`.\n" in shown
    assert "- Shown to harm: `wider`.\n" in shown
    assert "- Not shown to help or harm: `residual`, `gradient_clipping`, `batch_128`.\n" in shown


def test_the_badges_state_what_pyproject_declares() -> None:
    for name, text in badges.badges().items():
        assert (badges.FOLDER / name).read_text(encoding="utf-8") == text, "run `python -m website.badges`"
