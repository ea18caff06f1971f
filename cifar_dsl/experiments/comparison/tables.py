"""A comparison as text: for the terminal, Markdown, LaTeX, CSV and JSON."""

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import Literal

import cattrs

from cifar_dsl.experiments.comparison.effects import ALPHA, Effect, Interval
from cifar_dsl.experiments.comparison.plan import Plan
from cifar_dsl.experiments.comparison.rows import Comparison, Row
from cifar_dsl.experiments.comparison.sentences import p_text, pair_sentences, range_text, sentences
from cifar_dsl.experiments.comparison.skewness import skewed_specs
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.foundation.text import accuracy_in_percent, columns, duration, in_short, listed, points
from cifar_dsl.language.diagnostics.render import visible

Align = Literal["left", "right"]


@frozen
class Column:
    """A column of a displayed table, sorted by `key` (numbers) or, without a key, by its text."""

    head: str
    cell: Callable[[Row], str]
    key: Callable[[Row], float | None] | None = None

    @property
    def align(self) -> Align:
        """Numbers are right-aligned."""
        return "right" if self.key else "left"


def accuracy_text(row: Row) -> str:
    """Mean and standard deviation, as "72.91 ± 0.42 %"; in words if no run finished."""
    if row.mean is None:
        return "diverged" if row.diverged else "failed" if row.failed else "no run"
    return accuracy_in_percent(row.mean, row.deviation)


def count_text(row: Row) -> str:
    """The number of finished runs, and of lost ones."""
    lost = [
        f" + {number} {status}" for number, status in ((row.diverged, "diverged"), (row.failed, "failed")) if number
    ]
    return str(len(row.accuracies)) + "".join(lost)


def superiority_text(row: Row) -> str:
    """The probability that a run beats one of the baseline, with its interval."""
    if row.effect is None or row.effect.superiority_interval is None:
        return ""
    low, high = row.effect.superiority_interval
    return f"{row.effect.superiority:.2f} ({low:.2f} to {high:.2f})"


def _effect_value(value: Callable[[Effect], float | None]) -> Callable[[Row], float | None]:
    return lambda row: value(row.effect) if row.effect else None


def _effect_text(text: Callable[[Effect], str]) -> Callable[[Row], str]:
    return lambda row: text(row.effect) if row.effect else ""


_SPEC = Column("spec", lambda row: visible(row.name))
_CHANGE = Column("change", lambda row: visible(row.change))
_PARAMETERS = Column("parameters", lambda row: f"{row.parameters:,}", lambda row: row.parameters)
_MACS = Column("macs", lambda row: in_short(row.macs), lambda row: row.macs)
_ACCURACY = Column("accuracy", accuracy_text, lambda row: row.mean)
_N = Column("n", count_text, lambda row: len(row.accuracies))
_DIFFERENCE = Column(
    "difference",
    _effect_text(lambda effect: points(effect.difference, 2, sign=True)),
    _effect_value(lambda effect: effect.difference),
)
_INTERVAL = Column(
    "95 % interval",
    _effect_text(lambda effect: range_text(effect.simultaneous, sign=True)),
    _effect_value(lambda effect: effect.simultaneous[0] if effect.simultaneous else None),
)
_P = Column(
    "p",
    _effect_text(lambda effect: p_text(effect.p_adjusted).removeprefix("p ").removeprefix("= ")),
    _effect_value(lambda effect: effect.p_adjusted),
)
_SUPERIORITY = Column("P(beats)", superiority_text, _effect_value(lambda effect: effect.superiority))
_GAIN = Column(
    "points/1k parameters",
    lambda row: "" if row.gain_per_parameter is None else f"{row.gain_per_parameter * 100 * 1000:+.3g}",
    lambda row: row.gain_per_parameter,
)
_TIME = Column("time", lambda row: "" if row.time_s is None else duration(row.time_s), lambda row: row.time_s)
_ENERGY = Column(
    "energy", lambda row: "" if row.energy_j is None else in_short(row.energy_j, "J"), lambda row: row.energy_j
)

_CROSS_ENTROPY = Column(
    "cross-entropy",
    lambda row: "" if row.cross_entropy is None else f"{row.cross_entropy:.4f}",
    lambda row: row.cross_entropy,
)

_WIDTH = 110  # of sentences on a terminal, in characters

_SHORT = (_SPEC, _PARAMETERS, _MACS, _ACCURACY, _N, _DIFFERENCE, _INTERVAL, _P, _TIME)
_VERDICT = Column("verdict", _effect_text(lambda effect: effect.verdict))


def _short_columns(comparison: Comparison) -> tuple[Column, ...]:
    return tuple(_judged(column, comparison) for column in _SHORT)


def _judged(column: Column, comparison: Comparison) -> Column:
    """Comparisons until decided have verdicts and no p-values."""
    return _VERDICT if column is _P and comparison.plan else column


def full_columns(comparison: Comparison) -> tuple[Column, ...]:
    """The columns of a full table; without energy and cross-entropy if no run has them."""
    energy = (_ENERGY,) if any(row.energy_j is not None for row in comparison.rows) else ()
    losses = (_CROSS_ENTROPY,) if any(row.cross_entropy is not None for row in comparison.rows) else ()
    judged = _judged(_P, comparison)
    first = (_SPEC, _CHANGE, _PARAMETERS, _MACS, _ACCURACY, _N, _DIFFERENCE, _INTERVAL, judged)
    return (*first, _SUPERIORITY, *losses, _GAIN, _TIME, *energy)


def short_table(comparison: Comparison) -> tuple[list[list[str]], frozenset[int]]:
    """The rows of a short table, its heads first, and the places of the columns with numbers."""
    shown = _short_columns(comparison)
    rows = [[column.head for column in shown], *([c.cell(row) for c in shown] for row in comparison.rows)]
    return rows, frozenset(i for i, column in enumerate(shown) if column.align == "right")


def short_notes(comparison: Comparison) -> list[str]:
    """The notes below a short table."""
    return notes(comparison, _short_columns(comparison))


def as_text(comparison: Comparison) -> list[str]:
    """Lines for a terminal: a short table, its findings and notes."""
    table, right = short_table(comparison)
    sentences = [line for text in findings(comparison) for line in wrap(text, _WIDTH, subsequent_indent="  ")]
    return [*columns(table, right=right), "", *sentences, *[""] * bool(sentences), *short_notes(comparison)]


def as_markdown(comparison: Comparison) -> str:
    """A Markdown table with its findings and notes."""
    shown = full_columns(comparison)
    rule = ["---:" if column.align == "right" else "---" for column in shown]
    rows = [[_markdown_cell(column.cell(row)) for column in shown] for row in comparison.rows]
    table = [f"| {' | '.join(cells)} |" for cells in ([column.head for column in shown], rule, *rows)]
    items = [f"- {_markdown_cell(line)}" for line in findings(comparison)]
    below = [f"{_markdown_cell(note)}  " for note in [*notes(comparison, shown), *omissions(comparison)]]
    return "\n".join([*table, "", *items, *[""] * bool(items), *below]) + "\n"


def as_latex(comparison: Comparison) -> str:
    """A LaTeX table for the package booktabs, with its findings and notes as comments."""
    shown = [column for column in full_columns(comparison) if column is not _CHANGE]
    layout = "".join("r" if column.align == "right" else "l" for column in shown)
    lines = [
        *(f"% {note}" for note in [*findings(comparison), *notes(comparison, shown), *omissions(comparison)]),
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
    """All numbers, one line per spec; seeds and accuracies are separated by spaces."""
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
    "cross_entropy",
)
_CSV_FIELDS = (
    *("spec", "change", "fingerprint", "parameters", "macs", "n", "diverged", "failed"),
    *("mean", "mean_low", "mean_high", "deviation", "difference", "difference_low", "difference_high"),
    *("simultaneous_low", "simultaneous_high", "p", "p_adjusted", "smallest_p", "verdict"),
    *("superiority", "superiority_low", "superiority_high", "detectable", "seeds_needed"),
    *("gain_per_parameter", "time_s", "energy_j", "seeds", "accuracies", "cross_entropy"),
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
    """The whole comparison as JSON."""
    return json.dumps(as_data(comparison), indent=2) + "\n"


def as_data(comparison: Comparison) -> dict[str, object]:
    """The whole comparison as JSON data, without the folders of this machine."""
    shared = evolve(comparison, data=comparison.data.shareable if comparison.data else None)
    data: dict[str, object] = cattrs.unstructure(shared)
    return data


def findings(comparison: Comparison) -> list[str]:
    """A sentence for each spec, and for each pair if pairs were requested."""
    return [visible(line) for line in (*sentences(comparison), *pair_sentences(comparison))]


def notes(comparison: Comparison, shown: Sequence[Column] = ()) -> list[str]:
    """Notes that explain the shown columns: dataset, devices, methods."""
    data = comparison.data.shareable if comparison.data else None
    source = (
        f"{data.title} ({data.origin}; {data.train_images:,} + {data.test_images:,} images, digest {data.digest[:12]})"
        if data
        else "no runs yet"
    )
    tested = sum(row.effect is not None and row.effect.p is not None for row in comparison.rows)
    method = "; interval and p by Welch's method, corrected for unequal spreads" if tested else ""
    if tested > 1:
        method += f", with Dunnett's adjustment for all {tested} comparisons"
    lines = [
        f"data: {source}",
        f"computed on: {', '.join(comparison.devices) or 'nothing yet'}",
        "accuracy: on the test images after the last epoch; mean ± sample standard deviation over n seeds",
        f"difference: from {comparison.baseline}, in percentage points{method}",
    ]
    if comparison.plan:
        lines.append(_promise(comparison.plan))
    elif tested:
        lines.append(
            "seeds: the claims hold if their number was chosen beforehand; if runs were added until something showed, "
            "use --until-decided, which counts these runs, too"
        )
    if _CROSS_ENTROPY in shown:
        lines.append(
            "cross-entropy: of the softmax of the scores on the test images, without label smoothing; mean over n seeds"
        )
    if comparison.pairs:
        fingerprints = {row.name: row.fingerprint for row in comparison.rows}
        tested_pairs = [pair for pair in comparison.pairs if pair.p_adjusted is not None]
        count = len({frozenset({fingerprints[pair.first], fingerprints[pair.second]}) for pair in tested_pairs})
        lines.append(
            f"pairs: Welch's interval for each pair alone; p with Holm's adjustment for all {count} tested pairs"
        )
    return [visible(line) for line in [*lines, *_caution(comparison), *_skew(comparison), *_chance(comparison)]]


def omissions(comparison: Comparison) -> list[str]:
    """A note for each spec or run that couldn't be compared. On a terminal, `compare` lists them after its output."""
    return [visible(f"left out: {line}") for line in comparison.left_out]


def _promise(plan: Plan) -> str:
    """What the intervals of a comparison until decided hold."""
    margin = f", equivalent within {points(plan.equivalent_within, 2)} points" if plan.equivalent_within else ""
    return (
        f"until decided: plan {plan.hash} of {plan.declared[:10]}, up to {plan.cap} seeds{margin}; with 95 % "
        "probability, all intervals hold the true differences at every look, whenever you stop; each plan has its 5 %"
    )


def _caution(comparison: Comparison) -> list[str]:
    """A warning if claims rest on very few runs."""
    claimed = [row.effect for row in comparison.rows if row.effect and row.effect.verdict in {"better", "worse"}]
    floor = max((effect.smallest_p for effect in claimed), default=0.0)
    if floor <= ALPHA:
        return []
    return [
        "few seeds: the claims assume normally distributed accuracies; a permutation test, which doesn't, can't "
        f"reach less than {p_text(floor)} with these seeds (0.008 with 5 per spec)"
    ]


def _skew(comparison: Comparison) -> list[str]:
    """A warning if the accuracies look skewed, which intervals and claims don't allow for."""
    found = skewed_specs({row.name: row.accuracies for row in comparison.rows})
    if not found:
        return []
    return [
        f"skewed accuracies: those of {listed(found, 'and')} have a long tail to one side, so more than 5 % of such "
        "comparisons may make a false claim (11 % in the worst simulation, where spreads differ, too: docs/compare.md)"
    ]


def _chance(comparison: Comparison) -> list[str]:
    """A warning that names the specs with runs at chance level."""
    found = [
        f"{row.name} ({len(row.at_chance)} of {len(row.accuracies)} run{'s' * (len(row.accuracies) > 1)})"
        for row in comparison.rows
        if row.at_chance
    ]
    if not found:
        return []
    return [
        f"chance level: {listed(found, 'and')} learned nothing: the predictions are no better than guessing, so the "
        "accuracy says nothing about the network"
    ]


def latex(text: str) -> str:
    """`text` with the special characters of LaTeX escaped."""
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
    """`text` with everything escaped that Markdown reads as code, emphasis, HTML, a link or the end of a cell."""
    return re.sub(r"[\\`<|*~&]|(?<=\])\(|(?<!\w)_|_(?!\w)|(?<=http|ttps):", r"\\\g<0>", text)


def _inert(text: str) -> str:
    """A cell that a spreadsheet doesn't read as a formula."""
    shown = visible(text)  # also escapes tabs and carriage returns, which may precede a formula
    return "'" + shown if shown[:1] in {"=", "+", "-", "@"} else shown
