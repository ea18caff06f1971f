"""A comparison as text: for the terminal, Markdown, LaTeX, CSV and JSON."""

import csv
import io
import json
import re
from collections.abc import Callable
from textwrap import wrap
from typing import Literal

import cattrs

from cifar_dsl.experiments.comparison.effects import ALPHA, Effect, Interval
from cifar_dsl.experiments.comparison.rows import Comparison, Row
from cifar_dsl.experiments.comparison.sentences import p_text, pair_sentences, points, range_text, sentences
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import columns, duration, in_short
from cifar_dsl.language.diagnostics.render import visible

Align = Literal["left", "right"]


@frozen
class Column:
    """A column of a table for people; by `key` its lines are ordered, by the text itself where there is none."""

    head: str
    cell: Callable[[Row], str]
    key: Callable[[Row], float | None] | None = None

    @property
    def align(self) -> Align:
        """Figures are flush right."""
        return "right" if self.key else "left"


def accuracy_text(row: Row) -> str:
    """Mean and spread, as "0.7291 ± 0.0042"."""
    if row.mean is None:
        return "diverged" if row.diverged else "failed" if row.failed else "no run"
    return f"{row.mean:.4f}" + (f" ± {row.deviation:.4f}" if row.deviation is not None else "")


def count_text(row: Row) -> str:
    """How many runs are in the figures, and how many are not."""
    lost = [f" + {number} {what}" for number, what in ((row.diverged, "diverged"), (row.failed, "failed")) if number]
    return str(len(row.accuracies)) + "".join(lost)


def superiority_text(row: Row) -> str:
    """The probability that a run beats one of the baseline, with its interval."""
    if row.effect is None or row.effect.superiority_interval is None:
        return ""
    low, high = row.effect.superiority_interval
    return f"{row.effect.superiority:.2f} ({low:.2f} to {high:.2f})"


def _of(value: Callable[[Effect], float | None]) -> Callable[[Row], float | None]:
    return lambda row: value(row.effect) if row.effect else None


def _said(text: Callable[[Effect], str]) -> Callable[[Row], str]:
    return lambda row: text(row.effect) if row.effect else ""


_SPEC = Column("spec", lambda row: visible(row.name))
_CHANGE = Column("change", lambda row: visible(row.change))
_PARAMETERS = Column("parameters", lambda row: f"{row.parameters:,}", lambda row: row.parameters)
_MACS = Column("macs", lambda row: in_short(row.macs), lambda row: row.macs)
_ACCURACY = Column("accuracy", accuracy_text, lambda row: row.mean)
_N = Column("n", count_text, lambda row: len(row.accuracies))
_DIFFERENCE = Column(
    "difference", _said(lambda effect: points(effect.difference, 2, sign=True)), _of(lambda effect: effect.difference)
)
_INTERVAL = Column(
    "95 % interval",
    _said(lambda effect: range_text(effect.simultaneous, sign=True)),
    _of(lambda effect: effect.simultaneous[0] if effect.simultaneous else None),
)
_P = Column(
    "p",
    _said(lambda effect: p_text(effect.p_adjusted).removeprefix("p ").removeprefix("= ")),
    _of(lambda effect: effect.p_adjusted),
)
_SUPERIORITY = Column("P(beats)", superiority_text, _of(lambda effect: effect.superiority))
_GAIN = Column(
    "points/1k parameters",
    lambda row: "" if row.gain_per_parameter is None else f"{row.gain_per_parameter * 100 * 1000:+.3g}",
    lambda row: row.gain_per_parameter,
)
_TIME = Column("time", lambda row: "" if row.time_s is None else duration(row.time_s), lambda row: row.time_s)
_ENERGY = Column(
    "energy", lambda row: "" if row.energy_j is None else in_short(row.energy_j, "J"), lambda row: row.energy_j
)

_WIDTH = 110  # of sentences on a terminal

_SHORT = (_SPEC, _PARAMETERS, _MACS, _ACCURACY, _N, _DIFFERENCE, _INTERVAL, _P, _TIME)


def full_columns(comparison: Comparison) -> tuple[Column, ...]:
    """All that a table for people shows; without energy where no device told it."""
    energy = (_ENERGY,) if any(row.energy_j is not None for row in comparison.rows) else ()
    first = (_SPEC, _CHANGE, _PARAMETERS, _MACS, _ACCURACY, _N, _DIFFERENCE, _INTERVAL, _P)
    return (*first, _SUPERIORITY, _GAIN, _TIME, *energy)


def as_text(comparison: Comparison) -> list[str]:
    """Lines for a terminal: a short table, and what it says."""
    table = [[column.head for column in _SHORT], *([c.cell(row) for c in _SHORT] for row in comparison.rows)]
    right = frozenset(i for i, column in enumerate(_SHORT) if column.align == "right")
    said = [line for text in findings(comparison) for line in wrap(text, _WIDTH, subsequent_indent="  ")]
    return [*columns(table, right=right), "", *said, *[""] * bool(said), *notes(comparison)]


def as_markdown(comparison: Comparison) -> str:
    """A Markdown table with what it says, and its notes."""
    shown = full_columns(comparison)
    rule = ["---:" if column.align == "right" else "---" for column in shown]
    rows = [[_markdown_cell(column.cell(row)) for column in shown] for row in comparison.rows]
    table = [f"| {' | '.join(cells)} |" for cells in ([column.head for column in shown], rule, *rows)]
    said = [f"- {_markdown_cell(line)}" for line in findings(comparison)]
    below = [f"{_markdown_cell(note)}  " for note in notes(comparison)]
    return "\n".join([*table, "", *said, *[""] * bool(said), *below]) + "\n"


def as_latex(comparison: Comparison) -> str:
    """A LaTeX table for the package booktabs, with its notes as comments."""
    shown = [column for column in full_columns(comparison) if column is not _CHANGE]
    layout = "".join("r" if column.align == "right" else "l" for column in shown)
    lines = [
        *(f"% {note}" for note in [*findings(comparison), *notes(comparison)]),
        r"\begin{tabular}{" + layout + "}",
        r"\toprule",
        " & ".join(latex(column.head) for column in shown) + r" \\",
        r"\midrule",
        *(" & ".join(latex(column.cell(row)) for column in shown) + r" \\" for row in comparison.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def as_csv(comparison: Comparison) -> str:
    """All figures, one spec a line; accuracies by seed are parted by spaces."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _CSV_FIELDS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in comparison.rows:
        figures = {**_ends("mean", row.interval), **_effect_figures(row.effect)}
        figures |= {name: getattr(row, name) for name in _ROW_FIGURES}
        writer.writerow(
            {
                "spec": _inert(row.name),
                "change": _inert("; ".join(row.changes)),
                "fingerprint": row.fingerprint,
                "n": len(row.accuracies),
                "verdict": row.effect.verdict if row.effect else "",
                "seeds": " ".join(map(str, row.seeds)),
                "accuracies": " ".join(map(repr, row.accuracies)),
                **{name: repr(figure) for name, figure in figures.items() if figure is not None},
            }
        )
    return buffer.getvalue()


_ROW_FIGURES = (
    "parameters",
    "macs",
    "diverged",
    "failed",
    "mean",
    "deviation",
    "gain_per_parameter",
    "time_s",
    "energy_j",
)
_CSV_FIELDS = (
    *("spec", "change", "fingerprint", "parameters", "macs", "n", "diverged", "failed"),
    *("mean", "mean_low", "mean_high", "deviation", "difference", "difference_low", "difference_high"),
    *("simultaneous_low", "simultaneous_high", "p", "p_adjusted", "smallest_p", "verdict"),
    *("superiority", "superiority_low", "superiority_high", "detectable", "seeds_needed"),
    *("gain_per_parameter", "time_s", "energy_j", "seeds", "accuracies"),
)


def _effect_figures(effect: Effect | None) -> dict[str, float | None]:
    if effect is None:
        return {}
    return {
        "difference": effect.difference,
        **_ends("difference", effect.interval),
        **_ends("simultaneous", effect.simultaneous),
        "p": effect.p,
        "p_adjusted": effect.p_adjusted,
        "smallest_p": effect.smallest_p,
        "superiority": effect.superiority,
        **_ends("superiority", effect.superiority_interval),
        "detectable": effect.detectable,
        "seeds_needed": effect.seeds_needed,
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def as_json(comparison: Comparison) -> str:
    """Everything."""
    return json.dumps(cattrs.unstructure(comparison), indent=2) + "\n"


def findings(comparison: Comparison) -> list[str]:
    """What is known, a sentence a spec, and a sentence a pair where pairs were asked for."""
    said = [*sentences(comparison), *pair_sentences(comparison)]
    return [visible(line) for line in said]


def notes(comparison: Comparison) -> list[str]:
    """What the figures are, for who reads the table alone."""
    data = comparison.data
    what = (
        f"{data.name} ({data.origin}; {data.train_images:,} + {data.test_images:,} images, digest {data.digest[:12]})"
        if data
        else "no runs yet"
    )
    tested = sum(row.effect is not None and row.effect.p is not None for row in comparison.rows)
    method = "; interval and p: Welch's" if tested else ""
    if tested > 1:
        method += f", with Dunnett's adjustment, for all {tested} together"
    lines = [
        f"data: {what}",
        f"computed on: {', '.join(comparison.devices) or 'nothing yet'}",
        "accuracy: on the test images after the last epoch, mean ± sample standard deviation over n seeds",
        f"difference: from {comparison.baseline} in percentage points{method}",
    ]
    if comparison.pairs:
        meanings = {row.name: row.fingerprint for row in comparison.rows}
        tried = [pair for pair in comparison.pairs if pair.p_adjusted is not None]
        count = len({frozenset({meanings[pair.first], meanings[pair.second]}) for pair in tried})
        lines.append(f"pairs: Welch's interval of each alone; p adjusted for all {count} that are tested, by Holm")
    return [visible(line) for line in [*lines, *_caution(comparison)]]


def _caution(comparison: Comparison) -> list[str]:
    """What a claim from very few runs rests on."""
    claimed = [row.effect for row in comparison.rows if row.effect and row.effect.verdict in {"better", "worse"}]
    floor = max((effect.smallest_p for effect in claimed), default=0.0)
    if floor <= ALPHA:
        return []
    return [
        "few seeds: the claims rest on accuracies scattering normally; a test that assumes nothing can't go below "
        f"{p_text(floor)} with so few (5 seeds of each: 0.008)"
    ]


def latex(text: str) -> str:
    """`text` as LaTeX shows it, with nothing in it that LaTeX would act on."""
    return "".join(_LATEX.get(character, character) for character in visible(text))


_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
}


def _markdown_cell(text: str) -> str:
    """`text` without what Markdown would take for code, emphasis, HTML, a link or the end of a cell."""
    return re.sub(r"[\\`<|*~&]|(?<=\])\(|(?<!\w)_|_(?!\w)|(?<=http|ttps):", r"\\\g<0>", text)


def _inert(text: str) -> str:
    """A cell that a spreadsheet takes for no formula, as it would one that begins with one of these."""
    shown = visible(text)  # tabs and carriage returns, which can stand before a formula, included
    return "'" + shown if shown[:1] in {"=", "+", "-", "@"} else shown
