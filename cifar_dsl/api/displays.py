"""HTML that notebooks show for specs and runs. It needs no style sheet, and suits a light and a dark page."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.text import accuracy_in_percent
from cifar_dsl.language.diagnostics import render_full
from cifar_dsl.language.highlighting import html_of_source, html_of_table, html_of_text
from cifar_dsl.runs import EpochMetrics

if TYPE_CHECKING:
    from cifar_dsl.api.specs import Spec
    from cifar_dsl.experiments.comparison import Comparison

_MOST_ROWS = 16  # of a table that isn't folded
_PAPER = "background: #fff; border-radius: 4px; padding: 0.5em; overflow: auto; max-height: 32em; width: fit-content"
_BESIDE = "display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start"
_COLOURS = ("#d9822b", "#8a63d2", "#2f7fd1")  # of training, held-out and test images: legible on light and dark


def spec_html(spec: "Spec", *, has_source: bool) -> str:
    """A heading, the warnings, the picture, the layers, and the text unless it stands in the cell above."""
    from cifar_dsl.api.specs import summary_of
    from cifar_dsl.views.table import HEAD, NUMBERS, rows_of

    rows = rows_of(spec.graph)
    changed = "".join(f"<br><code>--set {escape(text)}</code>" for text in spec.overrides)
    heading = f"<strong>{escape(spec.name)}</strong> <code>{spec.fingerprint}</code> {escape(summary_of(spec.graph))}"
    table = _table([HEAD, *rows], NUMBERS, f"{len(spec.graph.nodes)} layers")
    warnings = "\n\n".join(map(render_full, spec.warnings))
    text = spec.analysis.program.name.span.source.text.strip("\n") + "\n"
    return "".join(
        (
            f"<p>{heading}{changed}</p>",
            html_of_text(escape(warnings)) if warnings else "",
            f'<div style="{_BESIDE}">{_picture(spec)}<div>{table}</div></div>',
            folded("spec", html_of_source(text)) if has_source else "",
        )
    )


def _picture(spec: "Spec") -> str:
    from cifar_dsl.views.pictures import as_svg, draw

    try:
        svg = as_svg(draw(spec.graph, spec.name)).decode()
    except UserError as error:
        return f"<p><em>{escape('; '.join([error.message, *error.help]))}</em></p>"
    return f'<div style="{_PAPER}">{svg[svg.index("<svg") :]}</div>'


def folded(summary: str, html: str) -> str:
    """HTML that a click on its summary shows."""
    return f'<details><summary style="cursor: pointer">{escape(summary)}</summary>{html}</details>'


def _table(rows: Sequence[Sequence[str]], right: frozenset[int], summary: str) -> str:
    """A table, folded if it is long."""
    html = html_of_table(rows, right=right)
    return folded(summary, html) if len(rows) > _MOST_ROWS else html


def comparison_html(comparison: "Comparison") -> str:
    """The table of a comparison, with its findings and notes as sentences, which wrap."""
    from cifar_dsl.experiments.comparison.tables import findings, short_notes, short_table

    rows, right = short_table(comparison)
    table = html_of_table([*rows, [""] * len(rows[0])], right=right)
    found = "".join(f"<li>{escape(text)}</li>" for text in findings(comparison))
    below = "<br>".join(map(escape, short_notes(comparison)))
    return f'{table}<ul>{found}</ul><p style="opacity: 0.75; font-size: 0.9em">{below}</p>'


# ---- epochs

_COLUMNS = ("epoch", "lr", "train_loss", "train_accuracy", "test_loss", "test_accuracy")


def _shown(column: str, value: float | None) -> str:
    if value is None:
        return ""
    return accuracy_in_percent(value) if column.endswith("accuracy") else f"{value:.4g}"


def epochs_html(epochs: Sequence[EpochMetrics]) -> str:
    """The metrics of each epoch, as a table."""
    rows = [[_shown(column, getattr(epoch, column)) for column in _COLUMNS] for epoch in epochs]
    heads = [column.replace("_", " ") for column in _COLUMNS]
    return html_of_table([heads, *rows, [""] * len(heads)], right=frozenset(range(len(heads))))


def curves_of(epochs: Sequence[EpochMetrics], what: str) -> Iterator[tuple[str, list[int], list[float]]]:
    """The curves of `loss` or `accuracy`: images, epochs and values."""
    for label, split in (("training", "train"), ("held out", "validation"), ("test", "test")):
        measured = {epoch.epoch: getattr(epoch, f"{split}_{what}") for epoch in epochs}
        values = {epoch: value for epoch, value in measured.items() if value is not None}
        if values:
            yield label, list(values), list(values.values())


def curves_html(epochs: Sequence[EpochMetrics]) -> str:
    """Loss and accuracy by epoch, side by side, as SVG; nothing before the first epoch."""
    if not epochs:
        return ""
    panels = "".join(_panel(epochs, what) for what in ("loss", "accuracy"))
    return f'<div style="{_BESIDE}">{panels}</div>'


def _tick(value: float, step: float, what: str) -> str:
    """A value at an axis, as exact as the steps between the ticks."""
    if what == "accuracy":
        return f"{100 * value:.{_decimals(100 * step)}f}%"
    return f"{value:.{_decimals(step)}f}"


def _decimals(step: float) -> int:
    return next((digits for digits in range(6) if abs(step - round(step, digits)) < 1e-6 * step), 6)


def _panel(epochs: Sequence[EpochMetrics], what: str) -> str:
    from cifar_dsl.experiments.comparison.svg import chart, element, linear

    curves = [(label, [*zip(numbers, values, strict=True)]) for label, numbers, values in curves_of(epochs, what)]
    values = [value for _, points in curves for _, value in points]
    left, right, top, bottom = 46.0, 340.0, 30.0, 150.0
    x = linear((epochs[0].epoch, max(epochs[-1].epoch, epochs[0].epoch + 1)), left, right)
    y = linear(values, bottom, top, ticks=4)

    def words(text: str, at: float, height: float, anchor: str, **more: str) -> str:
        colour = {"fill": "currentColor", "opacity": "0.75"} | more
        return element("text", text, x=at, y=height, text_anchor=anchor, **colour)

    parts = [words(what, left, 14, "start", font_weight="600", opacity="1"), words("epoch", right, bottom + 30, "end")]
    for tick in y.ticks:
        parts.append(element("path", d=f"M{left} {y(tick):.1f}H{right}", stroke="currentColor", opacity="0.15"))
        parts.append(words(_tick(tick, y.ticks[1] - y.ticks[0], what), left - 6, y(tick) + 4, "end"))
    parts += [words(f"{tick:g}", x(tick), bottom + 16, "middle") for tick in x.ticks if tick == int(tick)]
    names = dict(zip(("training", "held out", "test"), _COLOURS, strict=True))
    for number, (label, points) in enumerate(curves):
        colour = names[label]
        line = " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in points)
        parts.append(element("polyline", points=line, fill="none", stroke=colour, stroke_width=2))
        parts += [element("circle", cx=x(epoch), cy=y(value), r=2.2, fill=colour) for epoch, value in points[-1:]]
        parts.append(words(label, right - 62 * (len(curves) - 1 - number), 14, "end", fill=colour, opacity="1"))
    style = {"font_size": "11", "font_family": "sans-serif"}
    return chart(360, 186, what, "by epoch", *parts, width="360", height="186", **style)
