"""A comparison as one standalone chart for papers and slides: `comparison.svg`."""

import math
import re
from functools import cache
from pathlib import Path

from markupsafe import Markup

from cifar_dsl.experiments.comparison.charts import (
    SHAPES,
    accuracies_in_words,
    accuracy_axis,
    accuracy_marks,
    difference_axis,
    difference_marks,
    percent_axis,
    signed_axis,
)
from cifar_dsl.experiments.comparison.rows import Comparison
from cifar_dsl.experiments.comparison.sentences import range_text, sentence
from cifar_dsl.experiments.comparison.svg import chart, element, fitted, line, mark, text
from cifar_dsl.experiments.comparison.tables import accuracy_text
from cifar_dsl.foundation.text import points
from cifar_dsl.views.png import png_scale

_HERE = Path(__file__).parent
_MARGIN, _ROW, _HEAD = 24, 40, 44
_LABEL, _SMALL = 12.5, 11.5  # font sizes, as in charts.css
_NAMES = (_MARGIN, 190)  # the columns, in units from the left
_BARS, _ACCURACIES = (206, 400), 414
_FOREST, _DIFFERENCES = (545, 815), 829
_WIDTH_ALONE, _WIDTH = 560, 960
_PIXELS = 4_500_000  # of a PNG; 25 specs at a scale of 2, a hundred at 1


def figure_size(comparison: Comparison) -> tuple[int, int]:
    """Width and height of the chart, in pixels."""
    return _WIDTH if _has_effects(comparison) else _WIDTH_ALONE, _bottom(comparison) + 92


def figure_scale(comparison: Comparison) -> float | None:
    """Pixels per unit of the chart as a PNG: 2, or less for many specs; None if there are too many for a PNG.

    Drawing takes time in proportion to the pixels, and a hundred specs at a scale of 2 would take as long as reading
    their runs.
    """
    width, height = figure_size(comparison)
    return png_scale(max(width, height), most=max(1.0, min(2.0, math.sqrt(_PIXELS / (width * height)))))


def figure(comparison: Comparison) -> str:
    """The chart as a standalone SVG file: accuracies, and beside them the differences from the baseline.

    Uses the light palette.
    """
    width, height = figure_size(comparison)
    bottom = _bottom(comparison)
    parts = [element("rect", width=width, height=height, class_="paper"), *_frame(comparison, bottom)]
    parts += _accuracies(comparison, bottom)
    description = accuracies_in_words(comparison)
    if _has_effects(comparison):
        parts += _differences(comparison, bottom)
        base = comparison.base_row
        description += ". " + "; ".join(sentence(row, base) for row in comparison.rows[1:] if row.effect)
    svg = chart(
        width,
        height,
        f"Accuracy of {len(comparison.rows)} specs",
        description,
        element("style", light_style()),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        width=width,
        height=height,
        font_family="Helvetica, Arial, sans-serif",
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{svg}\n'


def _has_effects(comparison: Comparison) -> bool:
    return any(row.effect for row in comparison.rows)


def _bottom(comparison: Comparison) -> int:
    """The y coordinate of the end of the rows."""
    return _HEAD + _ROW * len(comparison.rows)


def _frame(comparison: Comparison, bottom: int) -> list[Markup]:
    """A rule above each row, and the names of the specs with their sizes."""
    right = figure_size(comparison)[0] - _MARGIN
    parts = []
    for i, row in enumerate(comparison.rows):
        top = _HEAD + i * _ROW
        name = fitted(row.name, _NAMES[1] - _NAMES[0], _LABEL)
        parts += [
            line(_MARGIN, top, right, top, "grid"),
            text(_NAMES[0], top + 17, name, "label"),
            text(_NAMES[0], top + 32, f"{row.parameters:,} parameters", "figure"),
        ]
    return [*parts, line(_MARGIN, bottom, right, bottom, "axis")]


def _accuracies(comparison: Comparison, bottom: int) -> list[Markup]:
    x = accuracy_axis(comparison.rows, *_BARS)
    data = f" on {comparison.data.title}" if comparison.data else ""
    parts = [
        text(_BARS[0], 30, fitted(f"Test accuracy{data}", _FOREST[0] - _BARS[0] - 12, _LABEL), "label"),
        *percent_axis(x, _HEAD, bottom),
        text(sum(_BARS) / 2, bottom + 34, "mean accuracy", "tick strong", "middle"),
        text(_BARS[0], bottom + 52, "dots: single runs", "tick"),
        text(_BARS[0], bottom + 66, "\u00b1: standard deviation of the runs", "tick"),
        text(_BARS[0], bottom + 80, "whisker: 95 % interval of the mean", "tick"),
    ]
    for i, row in enumerate(comparison.rows):
        middle = _HEAD + i * _ROW + _ROW / 2
        parts += accuracy_marks(row, x, middle, is_base=i == 0)
        parts.append(text(_ACCURACIES, middle - 3, accuracy_text(row)))
        lost = f", {row.lost} lost" if row.lost else ""
        parts.append(text(_ACCURACIES, middle + 12, f"n = {len(row.accuracies)}{lost}", "figure"))
    return parts


def _differences(comparison: Comparison, bottom: int) -> list[Markup]:
    base = comparison.base_row
    x = difference_axis(comparison.rows, *_FOREST)
    left = _FOREST[0]
    room = figure_size(comparison)[0] - _MARGIN - left
    parts = [
        text(left, 30, fitted(f"Difference from {base.name}", room, _LABEL), "label"),
        *signed_axis(x, _HEAD, bottom),
        text(sum(_FOREST) / 2, bottom + 34, "percentage points", "tick strong", "middle"),
        *_verdicts(left, bottom + 52, "not decided, or equivalent" if comparison.plan else "not significant"),
        *(text(left, bottom + 66 + 14 * i, words, "tick") for i, words in enumerate(_lines(comparison))),
    ]
    for i, row in enumerate(comparison.rows):
        middle = _HEAD + i * _ROW + _ROW / 2
        if row is base:
            parts.append(text(_DIFFERENCES, middle + 4, "baseline", "figure"))
        elif row.effect:
            parts += difference_marks(row, base, x, middle)
            difference = points(row.effect.difference, 2, sign=True)
            interval = range_text(row.effect.simultaneous, sign=True)
            parts.append(text(_DIFFERENCES, middle - 3 if interval else middle + 4, difference))
            parts.append(text(_DIFFERENCES, middle + 12, interval, "figure"))
    return parts


def _lines(comparison: Comparison) -> list[str]:
    """The legend of the lines."""
    if comparison.plan:
        return ["line: 95 % interval for all differences together, at every look (decisive)"]
    return [
        "thick: 95 % interval for this difference alone",
        "thin: 95 % interval for all differences together (decisive)",
    ]


def _verdicts(left: float, y: float, otherwise: str) -> list[Markup]:
    """The legend of the marks; those without a claim mean `otherwise`."""
    parts = []
    for i, (kind, words) in enumerate((("better", "better"), ("worse", "worse"), ("unclear", otherwise))):
        at = left + 6 + 76 * i
        parts += [mark(SHAPES[kind], at, y - 4, f"mark {kind}", words), text(at + 10, y, words, "tick")]
    return parts


@cache
def light_style() -> Markup:
    """The style of charts with the light palette inserted, since some programs don't support CSS variables."""
    palette, style = ((_HERE / name).read_text(encoding="utf-8") for name in ("palette.css", "charts.css"))
    light, _, _ = palette.partition("}")
    colours = dict(re.findall(r"--([\w-]+): (#\w+);", light))
    return Markup(re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], style))  # noqa: S704  # our own file
