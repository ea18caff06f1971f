"""The figures of the eight specs in README.md: `python -m website.figures` writes them and docs/pictures/terminal.svg.

They are read from docs/results/eight-specs, which `cifar-dsl compare ... --out` writes.
"""

import json
from collections.abc import Iterable
from functools import cache

import cattrs

from cifar_dsl.experiments.comparison.rows import Comparison, Row
from cifar_dsl.experiments.comparison.sentences import range_text
from cifar_dsl.foundation.text import accuracy_in_percent
from website import terminal
from website.tree import ROOT

README = ROOT / "README.md"
_FIGURES = ROOT / "docs" / "results" / "eight-specs" / "comparison.json"
START, END = "<!-- python -m website.figures writes this -->\n\n", "\n<!-- to here -->\n"
# In the order of the blog post: what each changes, and the accuracy that the post states.
_PUBLISHED = {
    "baseline": ("three convolutions, dense 64", "70.5 %"),
    "wider": ("dense layer of 512 in place of 64", "74.2 %"),
    "deeper": ("dense layers of 512 and 256", "73.2 %"),
    "batchnorm_before": ("batch norm before each activation", "75.2 %"),
    "batchnorm_after": ("batch norm after each activation", "74.5 %"),
    "residual": ("residual blocks of two convolutions", "81.0 %"),
    "gradient_clipping": ("gradients clipped to norm 1", "72.8 %"),
    "batch_128": ("batch of 128 in place of 64", "70.7 %"),
}


def write() -> None:
    """Write README.md and the recording."""
    terminal.write(comparison())
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")


@cache
def comparison() -> Comparison:
    """The recorded comparison."""
    recorded = json.loads(_FIGURES.read_text(encoding="utf-8"))
    recorded["rows"] = [{"cross_entropy": None} | row for row in recorded["rows"]]  # recorded since
    return cattrs.structure(recorded, Comparison)


def updated(text: str) -> str:
    """The text of README.md with these figures."""
    begin, end = text.index(START) + len(START), text.index(END)
    return text[:begin] + summary(comparison().rows) + text[end:]


def summary(rows: Iterable[Row]) -> str:
    """The table, and what it shows."""
    by_name = {row.name: row for row in rows}
    head = [
        "| spec | what it changes | parameters | published | measured | seeds | points from baseline |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    return "\n".join([*head, *(_line(by_name[name]) for name in _PUBLISHED), "", *_findings(by_name), ""])


def _line(row: Row) -> str:
    change, published = _PUBLISHED[row.name]
    mean = "" if row.mean is None else accuracy_in_percent(row.mean)
    points = range_text(row.effect.simultaneous, sign=True) if row.effect else ""
    link = f"[{row.name}](specs/{row.name}.arch)"
    return f"| {link} | {change} | {row.parameters:,} | {published} | {mean} | {len(row.accuracies)} | {points} |"


def _findings(rows: dict[str, Row]) -> list[str]:
    """A line for each kind of finding that there is: where the interval lies, relative to no difference."""
    kinds: dict[str, list[str]] = {"Shown to help": [], "Shown to harm": [], "Not shown to help or harm": []}
    helps, harms, others = kinds.values()
    for name in list(_PUBLISHED)[1:]:
        effect = rows[name].effect
        low, high = (effect and effect.simultaneous) or (-1.0, 1.0)
        (helps if low > 0 else harms if high < 0 else others).append(f"`{name}`")
    return [f"- {kind}: {', '.join(names)}." for kind, names in kinds.items() if names]


if __name__ == "__main__":
    write()
