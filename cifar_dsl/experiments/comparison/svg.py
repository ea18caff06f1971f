"""Elements, fitted text, axes and scales for SVG charts. All text is escaped."""

import math
import unicodedata
from collections.abc import Iterable

from markupsafe import Markup, escape

from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics.render import visible


def element(name: str, *children: str, **attributes: str | float | None) -> Markup:
    """An element. Attributes have Python names (`class_`, `text_anchor`); those that are None are left out."""
    assigned = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup().join(child if isinstance(child, Markup) else escape(visible(child)) for child in children)
    return Markup(f"<{name}{assigned}>{inside}</{name}>")  # noqa: S704  # both parts are escaped


def chart(
    width: float, height: float, title: str, description: str, /, *children: str, **attributes: str | float
) -> Markup:
    """A complete picture, with a title and description for screen readers."""
    box = f"0 0 {_text(width)} {_text(height)}"
    label = f"{title}. {description}"
    return element("svg", *children, **attributes, viewBox=box, role="img", aria_label=label)


def text_width(words: str, size: float) -> float:
    """The approximate width of `words` in a sans-serif font of `size`, rather too wide than too narrow."""
    return size * sum(map(_letter_width, words))


def fitted(words: str, room: float, size: float) -> str:
    """`words` with control characters escaped, cut to at most `room` units."""
    words = visible(words)
    if text_width(words, size) <= room:
        return words
    room -= text_width("\u2026", size)
    end = 0
    while end < len(words) and (room := room - text_width(words[end], size)) >= 0:
        end += 1
    return words[:end] + "\u2026"


def _letter_width(letter: str) -> float:
    """In units of the font size, for a semi-bold Helvetica or Arial."""
    if unicodedata.east_asian_width(letter) in {"W", "F"} or letter in "mwMW@%\u2026":
        return 1.0
    if letter in " .,:;|!'ijltfrI[]()/\u2009":
        return 0.38
    return 0.74 if letter.isupper() else 0.6


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def text(x: float, y: float, words: str, class_: str = "", anchor: str | None = None) -> Markup:
    """Words whose baseline starts at (x, y), or has its `anchor` there."""
    return element("text", words, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def mark(shape: str, x: float, y: float, class_: str, tip: str) -> Markup:
    """A mark at a point: `up`, `down`, `round` or `square`, with `tip` as its tooltip."""
    r = 5.5
    title = element("title", tip)
    match shape:
        case "up" | "down":
            s = -r if shape == "up" else r
            corners = ((x - r, y - s * 0.7), (x + r, y - s * 0.7), (x, y + s))
            return element("polygon", title, points=" ".join(f"{a:.1f},{b:.1f}" for a, b in corners), class_=class_)
        case "square":
            return element(
                "rect", title, x=x - r + 0.5, y=y - r + 0.5, width=2 * r - 1, height=2 * r - 1, class_=class_
            )
        case _:
            return element("circle", title, cx=x, cy=y, r=r - 0.5, class_=class_)


@frozen
class Axis:
    """A scale with its ticks, from data to the picture's units."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    is_logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The position of `value`, clipped to the axis."""
        low, high, at = self.low, self.high, value
        if self.is_logarithmic:
            low, high, at = math.log(low), math.log(high), math.log(max(at, low))
        share = (at - low) / (high - low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


def linear(values: Iterable[float], start: float, end: float, *, ticks: int = 5, zero: bool = False) -> Axis:
    """An axis around `values` with about `ticks` round ticks; includes 0 if `zero`."""
    finite = list(values)
    low, high = min(finite), max(finite)
    if zero:
        low, high = min(0.0, low), max(0.0, high)
    if high - low < 1e-9:
        low, high = (low, low + 1) if zero else (low - 0.01, high + 0.01)
    step = _round_step((high - low) / ticks)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis(first * step, last * step, start, end, tuple(i * step for i in range(first, last + 1)))


def logarithmic(values: Iterable[float], start: float, end: float) -> Axis:
    """An axis for costs: logarithmic if they span a factor of 3 or more, else linear."""
    positive = [value for value in values if value > 0]
    low, high = min(positive), max(positive)
    if high / low < 3:
        margin = max(high - low, high * 0.05) * 0.15
        return linear((low - margin, high + margin), start, end, ticks=3)
    low, high = low / 1.3, high * 1.3
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5)):
        ticks = tuple(step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high)
        if len(ticks) >= 3:
            break
    return Axis(low, high, start, end, ticks, is_logarithmic=True)


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return power * next(nice for nice in (1, 2, 2.5, 5, 10) if nice * power >= step * 0.999)


def _text(value: str | float) -> str:
    return visible(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
