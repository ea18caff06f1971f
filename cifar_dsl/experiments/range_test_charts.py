"""The plot of a learning rate range test: for a terminal, and as SVG."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from cifar_dsl.experiments.comparison.figure import light_style
from cifar_dsl.experiments.comparison.svg import Axis, chart, element, fitted, line, linear, logarithmic, text
from cifar_dsl.experiments.range_test import Reading

_WIDTH, _HEIGHT, _MARGIN = 640, 400, 24
_DOTS = (0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80)  # of a braille letter, row by row
_BRAILLE = 0x2800
_ABOVE = 1.15  # the highest loss that a plot shows, in losses of the first steps


def svg_size() -> tuple[int, int]:
    """Width and height of the plot, in pixels."""
    return _WIDTH, _HEIGHT


def as_svg(title: str, rates: Sequence[float], losses: Sequence[float], reading: Reading) -> str:
    """The plot as a standalone SVG file: the loss of each step, the smooth curve, and the suggestion."""
    left, right, top, bottom = 76, _WIDTH - _MARGIN, 52, _HEIGHT - 78
    x = logarithmic((rates[0] * 1.3, rates[-1] / 1.3) if rates[-1] > 4 * rates[0] else rates, left, right)
    highest = _highest(losses, reading)
    shown = [min(loss, highest) for loss in (*losses, *reading.smooth)]
    y = linear(shown, bottom, top)
    parts = [element("rect", width=_WIDTH, height=_HEIGHT, class_="paper")]
    parts.append(text(left, 28, fitted(title, right - left, 12.5), "label"))
    parts += [line(left, y(tick), right, y(tick), "grid") for tick in y.ticks]
    parts += [text(left - 8, y(tick) + 4, f"{tick:.3g}", "tick", "end") for tick in y.ticks]
    parts += [line(x(tick), bottom, x(tick), bottom + 4, "axis") for tick in x.ticks]
    parts += [text(x(tick), bottom + 18, rate_text(tick), "tick", "middle") for tick in x.ticks]
    parts.append(text((left + right) / 2, bottom + 38, "learning rate (logarithmic)", "tick strong", "middle"))
    parts.append(text(left, bottom + 60, "dots: loss of each step; line: smoothed", "tick"))
    parts.append(text(left - 8, top - 8, "loss", "tick strong", "end"))
    parts += [
        element("circle", cx=x(rate), cy=y(loss), r=1.8, class_="run")
        for rate, loss in zip(rates, losses, strict=True)
        if loss <= highest
    ]
    curve = zip(rates, reading.smooth, strict=True)
    points = " ".join(f"{x(rate):.1f},{y(loss):.1f}" for rate, loss in curve if loss <= highest)
    parts.append(element("polyline", points=points, class_="curve"))
    if reading.suggestion is not None:
        parts += _marked(x, reading.suggestion, f"suggestion {rate_text(reading.suggestion)}", top, bottom)
    description = f"suggestion {rate_text(reading.suggestion)}" if reading.suggestion is not None else "no suggestion"
    svg = chart(
        _WIDTH,
        _HEIGHT,
        title,
        f"Loss against the learning rate; {description}",
        element("style", light_style()),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        width=_WIDTH,
        height=_HEIGHT,
        font_family="Helvetica, Arial, sans-serif",
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{svg}\n'


def _marked(x: Axis, rate: float, words: str, top: float, bottom: float) -> list[Markup]:
    anchor = "end" if x(rate) > (x.start + x.end) / 2 else "start"
    shift = -6 if anchor == "end" else 6
    return [line(x(rate), top, x(rate), bottom, "together better"), text(x(rate) + shift, top + 12, words, "", anchor)]


def as_text(
    rates: Sequence[float], losses: Sequence[float], reading: Reading, width: int, *, is_plain: bool
) -> list[str]:
    """The plot in lines of at most `width` characters; `is_plain`: of ASCII alone."""
    label, height = 8, 12
    columns = max(20, min(100, width - label - 2))
    across, down = (1, 1) if is_plain else (2, 4)  # dots in a character
    highest = _highest(losses, reading)
    lowest = min(loss for loss in (*losses, *reading.smooth) if loss <= highest)
    x = Axis(math.log(rates[0]), math.log(rates[-1]), 0, columns * across - 1, ())
    y = Axis(lowest, highest, height * down - 1, 0, ())
    dots: set[tuple[int, int]] = set()
    lines: set[tuple[int, int]] = set()
    for values, into in ((losses, dots), (reading.smooth, lines)):
        for rate, loss in zip(rates, values, strict=True):
            if loss <= highest:
                into.add((round(x(math.log(rate))), round(y(loss))))
    cells = _plain(dots, lines, columns, height) if is_plain else _braille(dots | lines, columns, height)
    at = None if reading.suggestion is None else round(x(math.log(reading.suggestion)) / across)
    shown = []
    for row, letters in enumerate(cells):
        name = f"{highest - row * (highest - lowest) / (height - 1):.3g}" if row % 4 == 0 or row == height - 1 else ""
        marked = [
            ("|" if is_plain else "\u2502") if column == at and letter == " " else letter
            for column, letter in enumerate(letters)
        ]
        shown.append(f"{name:>{label}} {''.join(marked)}".rstrip())
    return [*shown, " " * (label + 1) + _axis(rates, columns), " " * (label + 1) + "learning rate"]


def _plain(dots: set[tuple[int, int]], lines: set[tuple[int, int]], columns: int, height: int) -> list[list[str]]:
    return [["*" if (a, b) in lines else "." if (a, b) in dots else " " for a in range(columns)] for b in range(height)]


def _braille(dots: set[tuple[int, int]], columns: int, height: int) -> list[list[str]]:
    cells = [[0] * columns for _ in range(height)]
    for a, b in dots:
        cells[b // 4][a // 2] |= _DOTS[b % 4 * 2 + a % 2]
    return [[chr(_BRAILLE + cell) if cell else " " for cell in row] for row in cells]


def _axis(rates: Sequence[float], columns: int) -> str:
    """The powers of ten below a plot, each at its place, as far as there is room."""
    low, high = math.log10(rates[0]), math.log10(rates[-1])
    letters = [" "] * columns
    free = 0
    for power in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1):
        name = f"1e{power}"
        at = round((power - low) / max(1e-9, high - low) * (columns - 1))
        if at >= free and at + len(name) <= columns:
            letters[at : at + len(name)] = name
            free = at + len(name) + 1
    return "".join(letters).rstrip()


def rate_text(rate: float) -> str:
    """A learning rate as a spec would have it: 0.05, 3.2e-4."""
    short = f"{rate:.2g}" if rate >= 0.001 else f"{rate:.1e}"
    return short.replace("e-0", "e-").replace(".0e", "e")


def _highest(losses: Sequence[float], reading: Reading) -> float:
    """The highest loss in a plot: those of an explosion would flatten the rest of the curve."""
    first = max(reading.smooth[: max(1, len(losses) // 10)])
    lowest = min(reading.smooth)
    return max(first + (_ABOVE - 1) * max(first - lowest, 0.05 * abs(first)), lowest + 1e-9)
