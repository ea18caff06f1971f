"""A comparison as a chart for papers and slides; matplotlib is an extra."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_dsl.experiments.comparison.effects import Interval
from cifar_dsl.experiments.comparison.rows import Comparison, Row
from cifar_dsl.experiments.comparison.tables import accuracy_text, count_text
from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.language.diagnostics.render import visible
from cifar_dsl.runs import RunError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BAR, _BASELINE_BAR, _TEXT = "#6fa3d8", "#9aa5b1", "#222222"
_COLOURS = {"better": "#0b6e99", "worse": "#b4490f", "unclear": "#57606a", "untested": "#57606a"}
_MARKERS = {"better": "^", "worse": "v", "unclear": "o", "untested": "o"}


def require_matplotlib() -> None:
    """Raise RunError if charts can't be drawn."""
    try:
        import matplotlib as _  # noqa: F401
    except ImportError:
        raise RunError(
            "the chart needs matplotlib, which is not installed",
            "pip install 'cifar-dsl[plots]'",
            "or leave the chart out with --no-chart",
        ) from None


def draw(comparison: Comparison, *paths: Path) -> None:
    """Write the chart to `paths`, whose suffixes say the format: accuracies, and differences from the baseline."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in reversed(comparison.rows) if row.mean is not None]
    has_effects = any(row.effect for row in rows)
    figure = Figure(figsize=(11 if has_effects else 7, 1.4 + 0.5 * max(1, len(rows))), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2 if has_effects else 1, sharey=True, squeeze=False)[0]
    _accuracies(panels[0], rows, comparison)
    if has_effects:
        _differences(panels[1], rows, comparison)
    # No date in the file, and no random names of its parts, so that the same comparison gives the same bytes.
    with rc_context({"svg.hashsalt": "cifar-dsl"}):
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            content = io.BytesIO()
            figure.savefig(content, format=path.suffix[1:], dpi=150, metadata=metadata)
            write_atomically(path, content.getvalue())


def _accuracies(axes: "Axes", rows: list[Row], comparison: Comparison) -> None:
    means = [row.mean or 0.0 for row in rows]
    colours = [_BASELINE_BAR if row is comparison.base_row else _BAR for row in rows]
    axes.barh(range(len(rows)), means, color=colours, height=0.55)
    for i, row in enumerate(rows):
        _line(axes, row.interval, i, _TEXT, 1.2)
        axes.plot(row.accuracies, [i] * len(row.accuracies), "o", ms=2.5, mfc="white", mec=_TEXT, mew=0.6)
        end = max([*row.accuracies, row.interval[1] if row.interval else 0.0])
        words = f"{accuracy_text(row)}  (n = {count_text(row)})"
        axes.annotate(words, (end, i), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8, color=_TEXT)
    names = [f"{visible(row.name)}\n{row.parameters:,} parameters" for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8, parse_math=False)
    axes.set_xlim(0, 1.7 * max([0.1, *means]))
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= 1])
    data = comparison.data.name if comparison.data else "no data"
    axes.set_xlabel(
        f"accuracy on the test images of {visible(data)};\ndots: runs, whiskers: 95 % interval of the mean",
        fontsize=8,
        parse_math=False,
    )
    axes.spines[["top", "right"]].set_visible(False)


def _differences(axes: "Axes", rows: list[Row], comparison: Comparison) -> None:
    axes.axvline(0, color=_TEXT, linewidth=0.8)
    for i, row in enumerate(rows):
        effect = row.effect
        if effect is None:
            continue
        colour = _COLOURS[effect.verdict]
        _line(axes, effect.simultaneous, i, colour, 1.2, factor=100)
        _line(axes, effect.interval, i, colour, 4, factor=100)
        fill = colour if effect.verdict in {"better", "worse"} else "white"
        axes.plot([100 * effect.difference], [i], _MARKERS[effect.verdict], ms=6, mfc=fill, mec=colour, mew=1.4)
    low, high = axes.get_xlim()
    reach = 400 * max([0.01, *(abs(row.effect.difference) for row in rows if row.effect)])
    axes.set_xlim(max(low, -reach), min(high, reach))  # the interval of two seeds would squeeze all others
    axes.tick_params(left=False)
    axes.grid(axis="x", color="#e6e9ed")
    axes.set_axisbelow(True)
    meaning = "thick: 95 % interval of this one alone,\nthin: of all together, which decides"
    axes.set_xlabel(f"points from {visible(comparison.baseline)}; {meaning}", fontsize=8, parse_math=False)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _line(axes: "Axes", interval: Interval | None, y: float, colour: str, width: float, *, factor: float = 1) -> None:
    if interval:
        ends = [factor * end for end in interval]
        axes.plot(ends, [y, y], color=colour, linewidth=width, solid_capstyle="butt")
