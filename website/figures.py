"""The figures of the eight specs in README.md and docs/results/README.md, and docs/pictures/terminal.svg.

`python -m website.figures` writes them. They are read from docs/results/eight-specs, which
`cifar-dsl compare specs/ --until-decided ... --out docs/results/eight-specs` writes.
"""

import json
from collections.abc import Iterable
from functools import cache

import cattrs

from cifar_dsl.experiments.comparison.effects import Verdict
from cifar_dsl.experiments.comparison.rows import Comparison, Row
from cifar_dsl.experiments.comparison.sentences import range_text
from cifar_dsl.experiments.comparison.tables import accuracy_text
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import accuracy_in_percent, points
from website import terminal
from website.tree import ROOT

README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "results" / "README.md"
_FIGURES = ROOT / "docs" / "results" / "eight-specs" / "comparison.json"
START, END = "<!-- python -m website.figures writes this -->\n\n", "\n<!-- to here -->\n"


@frozen
class Published:
    """A row of the blog post, and the accuracy of the same network in a plain PyTorch script: one run each, percent."""

    change: str
    accuracy: float
    script: float


# In the order of the post.
PUBLISHED = {
    "baseline": Published("three convolutions, dense 64", 70.5, 72.9),
    "wider": Published("dense layer of 512 in place of 64", 74.2, 72.7),
    "deeper": Published("dense layers of 512 and 256", 73.2, 73.2),
    "batchnorm_before": Published("batch norm before each activation", 75.2, 74.0),
    "batchnorm_after": Published("batch norm after each activation", 74.5, 74.6),
    "residual": Published("residual blocks of two convolutions", 81.0, 81.8),
    "gradient_clipping": Published("gradients clipped to norm 1", 72.8, 72.7),
    "batch_128": Published("batch of 128 in place of 64", 70.7, 71.8),
}
_FINDINGS: dict[Verdict, str] = {
    "better": "Shown to help",
    "worse": "Shown to harm",
    "equivalent": "Shown to be within a point of the baseline",
    "open": "Not decided yet",
    "given up": "Given up, as a decision is unlikely",
    "undecided": "Undecided after all seeds",
}


def write() -> None:
    """Write both pages and the recording."""
    terminal.write(comparison())
    for page in (README, RESULTS):
        page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")


@cache
def comparison() -> Comparison:
    """The recorded comparison."""
    return cattrs.structure(json.loads(_FIGURES.read_text(encoding="utf-8")), Comparison)


def updated(text: str) -> str:
    """The text of a page with these figures: README.md has one such place, docs/results/README.md two."""
    before, *parts = text.split(START)
    made = [summary] if len(parts) == 1 else [decisions, claims]
    rows = comparison().rows
    return START.join([before, *(make(rows) + part[part.index(END) :] for make, part in zip(made, parts, strict=True))])


def summary(rows: Iterable[Row]) -> str:
    """The table of README.md, and what it shows."""
    by_name = {row.name: row for row in rows}
    lines = [
        "| spec | what it changes | parameters | published | measured | seeds | points from baseline |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, published in PUBLISHED.items():
        row = by_name[name]
        spec = f"[{name}](specs/{name}.arch) | {published.change} | {row.parameters:,}"
        measured = f"{_mean(row)} | {len(row.accuracies)} | {_interval(row)}"
        lines.append(f"| {spec} | {published.accuracy} % | {measured} |")
    return "\n".join([*lines, "", *_findings(by_name), ""])


def decisions(rows: Iterable[Row]) -> str:
    """The table of what is decided."""
    lines = [
        "| spec | parameters | accuracy | n | difference | interval at every look | verdict |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        found = " |  | "
        if effect := row.effect:
            found = f"{points(effect.difference, 2, sign=True)} | {_interval(row)} | {effect.verdict}"
        lines.append(f"| {row.name} | {row.parameters:,} | {accuracy_text(row)} | {len(row.accuracies)} | {found} |")
    return "\n".join([*lines, ""])


def claims(rows: Iterable[Row]) -> str:
    """The table of the published accuracies, and what became of their differences from the baseline."""
    by_name = {row.name: row for row in rows}
    lines = [
        "| spec | published | plain PyTorch script | measured | published gain | gain, interval | the published gain |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    baseline = PUBLISHED["baseline"].accuracy
    for name, published in PUBLISHED.items():
        row = by_name[name]
        gain = published.accuracy - baseline
        found = " |  | " if name == "baseline" else f"{gain:+.1f} | {_interval(row)} | {_claim(gain / 100, row)}"
        lines.append(f"| {name} | {published.accuracy} % | {published.script} % | {_mean(row)} | {found} |")
    return "\n".join([*lines, ""])


def _claim(gain: float, row: Row) -> str:
    """What the interval says of a published gain."""
    if row.effect is None or row.effect.simultaneous is None:
        return "is undecided"
    low, high = row.effect.simultaneous
    if high < 0:
        return "is a loss"
    if low > 0:
        return "is smaller" if gain > high else "is larger" if gain < low else "holds"
    return "is smaller, if there is one" if gain > high else "is undecided"


def _mean(row: Row) -> str:
    return "" if row.mean is None else accuracy_in_percent(row.mean)


def _interval(row: Row) -> str:
    return range_text(row.effect.simultaneous, sign=True) if row.effect else ""


def _findings(rows: dict[str, Row]) -> list[str]:
    """A line for each verdict that there is."""
    verdicts = {name: effect.verdict for name in PUBLISHED if (effect := rows[name].effect)}
    found = {verdict: [f"`{name}`" for name in verdicts if verdicts[name] == verdict] for verdict in _FINDINGS}
    return [f"- {_FINDINGS[verdict]}: {', '.join(names)}." for verdict, names in found.items() if names]


if __name__ == "__main__":
    write()
