"""A comparison as text: for the terminal, Markdown, CSV and JSON."""

import csv
import io
import json
import re

import cattrs

from cifar_dsl.compare.rows import Comparison, Row
from cifar_dsl.diagnostics.render import visible
from cifar_dsl.text import columns, duration, in_short

_HEADS = ("spec", "change", "parameters", "macs", "accuracy", "n", "difference", "points/1k parameters", "time")
_FIGURES = frozenset(range(2, len(_HEADS)))


def as_text(comparison: Comparison) -> list[str]:
    """Lines for a terminal."""
    return [*columns([_HEADS, *map(_cells, comparison.rows)], right=_FIGURES), "", *_notes(comparison)]


def as_markdown(comparison: Comparison) -> str:
    """A Markdown table with its notes."""
    rule = ["---:" if i in _FIGURES else "---" for i in range(len(_HEADS))]
    rows = [_HEADS, rule, *(tuple(map(_markdown_cell, _cells(row))) for row in comparison.rows)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", *(_markdown_cell(note) + "  " for note in _notes(comparison))]) + "\n"


def as_csv(comparison: Comparison) -> str:
    """All figures, one spec a line; accuracies by seed are parted by spaces."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        [
            "spec",
            "change",
            "fingerprint",
            "parameters",
            "macs",
            "n",
            "mean",
            "deviation",
            "difference",
            "gain_per_parameter",
            "time_s",
            "diverged",
            "seeds",
            "accuracies",
        ]
    )
    for row in comparison.rows:
        figures = (row.mean, row.deviation, row.difference, row.gain_per_parameter, row.time_s)
        writer.writerow(
            [
                _inert(row.name),
                _inert("; ".join(row.changes)),
                row.fingerprint,
                row.parameters,
                row.macs,
                len(row.accuracies),
                *("" if figure is None else repr(figure) for figure in figures),
                row.diverged,
                " ".join(map(str, row.seeds)),
                " ".join(map(repr, row.accuracies)),
            ]
        )
    return buffer.getvalue()


def as_json(comparison: Comparison) -> str:
    """Everything."""
    return json.dumps(cattrs.unstructure(comparison), indent=2) + "\n"


def accuracy_text(row: Row) -> str:
    """Mean and spread, as "0.7291 ± 0.0042"."""
    if row.mean is None:
        return "diverged" if row.diverged else "no run"
    return f"{row.mean:.4f}" + (f" ± {row.deviation:.4f}" if row.deviation is not None else "")


def _cells(row: Row) -> tuple[str, ...]:
    gain = row.gain_per_parameter
    return (
        row.name,
        row.change,
        f"{row.parameters:,}",
        in_short(row.macs),
        accuracy_text(row),
        str(len(row.accuracies)) + (f" + {row.diverged} diverged" if row.diverged else ""),
        "" if row.difference is None else f"{row.difference:+.4f}",
        "" if gain is None else f"{gain * 100 * 1000:+.3g}",
        "" if row.time_s is None else duration(row.time_s),
    )


def _notes(comparison: Comparison) -> list[str]:
    data = comparison.data
    what = (
        f"{data.name} ({data.origin}; {data.train_images:,} + {data.test_images:,} images, digest {data.digest[:12]})"
        if data
        else "no runs yet"
    )
    notes = [
        f"data: {what}",
        f"computed on: {', '.join(comparison.devices) or 'nothing yet'}",
        "accuracy: on the test images after the last epoch, mean ± sample standard deviation over n seeds",
        f"difference: from {comparison.baseline}; points/1k parameters: percentage points for 1,000 added parameters",
    ]
    return [visible(note) for note in notes]


def _markdown_cell(text: str) -> str:
    """`text` without what Markdown would take for code, HTML, a link or the end of a cell."""
    return re.sub(r"[\\`<|]|(?<=\])\(", r"\\\g<0>", text)


def _inert(text: str) -> str:
    """A cell that a spreadsheet takes for no formula, as it would one that begins with one of these."""
    shown = visible(text)  # tabs and carriage returns, which can stand before a formula, included
    return "'" + shown if shown[:1] in {"=", "+", "-", "@"} else shown
