"""A comparison as a bar chart; matplotlib is an extra."""

from pathlib import Path

from cifar_dsl.compare.rows import Comparison
from cifar_dsl.compare.tables import accuracy_text
from cifar_dsl.runs import RunError

_BAR, _BASELINE_BAR, _TEXT = "#4c78a8", "#9aa5b1", "#222222"


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


def draw_bars(comparison: Comparison, *paths: Path) -> None:
    """Write the chart to `paths`, whose suffixes say the format: accuracy by spec, with its spread."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in reversed(comparison.rows) if row.mean is not None]
    figure = Figure(figsize=(8, 1.6 + 0.42 * max(1, len(rows))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    means = [row.mean or 0.0 for row in rows]
    deviations = [row.deviation or 0.0 for row in rows]
    colours = [_BASELINE_BAR if row.name == comparison.baseline else _BAR for row in rows]
    axes.barh(range(len(rows)), means, color=colours, height=0.7)
    spread = [i for i, row in enumerate(rows) if row.deviation is not None]
    axes.errorbar(
        [means[i] for i in spread], spread, xerr=[deviations[i] for i in spread], fmt="none", ecolor=_TEXT, capsize=3
    )
    axes.set_yticks(range(len(rows)), [f"{row.name}\n{row.parameters:,} parameters" for row in rows], fontsize=8)
    for i, (row, mean, deviation) in enumerate(zip(rows, means, deviations, strict=True)):
        axes.annotate(
            f"{accuracy_text(row)}  (n={len(row.accuracies)})",
            (mean + deviation, i),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=_TEXT,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )
    baseline = next((row.mean for row in rows if row.name == comparison.baseline), None)
    if baseline is not None:
        axes.axvline(baseline, color=_TEXT, linewidth=0.8, linestyle="--")
    axes.set_xlim(0, 1.35 * max([0.1, *means]))
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= 1])
    data = comparison.data.name if comparison.data else "no data"
    what = "mean, whiskers ± 1 standard deviation" if spread else "one run each"
    axes.set_xlabel(f"accuracy on the test images of {data}; {what}", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    # No date in the file, and no random names of its parts, so that the same comparison gives the same bytes.
    with rc_context({"svg.hashsalt": "cifar-dsl"}):
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=150, metadata=metadata)
