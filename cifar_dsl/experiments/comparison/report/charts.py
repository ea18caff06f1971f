"""The charts of the report: accuracies, differences, what they cost, how they were learned, gains by class."""

from collections.abc import Sequence

from markupsafe import Markup

from cifar_dsl.experiments.comparison.efficiency import Price, front
from cifar_dsl.experiments.comparison.images import SpecImages
from cifar_dsl.experiments.comparison.report.svg import Axis, chart, element, line, linear, logarithmic, mark, text
from cifar_dsl.experiments.comparison.rows import Comparison, Row
from cifar_dsl.experiments.comparison.sentences import points, range_text, sentence
from cifar_dsl.experiments.comparison.tables import accuracy_text, count_text
from cifar_dsl.foundation.text import in_short

_WIDTH, _LEFT, _RIGHT = 440, 14, 420
_ROW = 40  # units for a spec
_LETTER = 6.6  # units of a letter, on average, to keep labels apart

SHAPES = {"better": "up", "worse": "down", "unclear": "round", "untested": "round"}


def verdict(row: Row, base: Row) -> str:
    """The class of a row's marks: what is known of it against the baseline."""
    if row is base:
        return "base"
    return row.effect.verdict if row.effect else "untested"


def accuracy_bars(comparison: Comparison) -> Markup:
    """A bar a spec from 0 on, with the interval of its mean and a dot for every run."""
    rows = comparison.rows
    highest = max((value for row in rows for value in (*row.accuracies, *(row.interval or ()))), default=1.0)
    x = linear((0.0, min(1.0, max(0.1, highest))), _LEFT, _RIGHT, zero=True)
    bottom = 8 + _ROW * len(rows)
    parts = _percent_axis(x, bottom)
    for i, row in enumerate(rows):
        top = 8 + i * _ROW
        middle = top + 25
        parts.append(text(_LEFT, top + 13, short(row.name, 28), "label"))
        parts.append(text(_RIGHT, top + 13, f"{accuracy_text(row)}  n = {count_text(row)}", "figure", "end"))
        if row.mean is None:
            continue
        bar = element("title", f"{row.name}: {accuracy_text(row)}")
        size = {"x": _LEFT, "y": middle - 6, "width": x(row.mean) - _LEFT, "height": 12.0}
        parts.append(element("rect", bar, class_=f"bar {'base' if i == 0 else ''}", **size))
        parts += _interval(x, row.interval, middle, "whisker")
        parts += [element("circle", cx=x(value), cy=middle, r=2, class_="run") for value in row.accuracies]
    return chart(
        _WIDTH,
        bottom + 26,
        "Accuracy of each spec",
        "Bars from 0; " + "; ".join(f"{row.name} {accuracy_text(row)}" for row in rows),
        *parts,
    )


def difference_forest(comparison: Comparison) -> Markup | None:
    """The difference of each spec from the baseline with both intervals; None where there is none."""
    base, rows = comparison.base_row, [row for row in comparison.rows[1:] if row.effect]
    if not rows:
        return None
    x = linear(_differences(rows), _LEFT, _RIGHT, zero=True)
    bottom = 8 + _ROW * len(rows)
    parts = _signed_axis(x, bottom)
    parts.append(text((_LEFT + _RIGHT) / 2, bottom + 30, f"points from {short(base.name, 28)}", "tick", "middle"))
    for i, row in enumerate(rows):
        effect = row.effect
        assert effect is not None
        top = 8 + i * _ROW
        middle, kind = top + 26, effect.verdict
        parts.append(text(_LEFT, top + 13, short(row.name, 28), "label"))
        figure = points(effect.difference, 2, sign=True)
        if effect.simultaneous:
            figure += f"  ({range_text(effect.simultaneous, sign=True)})"
        parts.append(text(_RIGHT, top + 13, figure, "figure", "end"))
        parts += _interval(x, effect.simultaneous, middle, f"together {kind}")
        if effect.interval:
            parts.append(line(x(effect.interval[0]), middle, x(effect.interval[1]), middle, f"alone {kind}"))
        parts.append(mark(SHAPES[kind], x(effect.difference), middle, f"mark {kind}", sentence(row, base)))
    return chart(
        _WIDTH,
        bottom + 36,
        f"Difference from {base.name}, in points",
        "; ".join(sentence(row, base) for row in rows),
        *parts,
    )


def tradeoff(comparison: Comparison, price: Price) -> Markup | None:
    """Accuracy against a price, with the Pareto front; None where the price tells no two specs apart."""
    base = comparison.base_row
    rows = [row for row in comparison.rows if row.mean is not None and price.of(row)]
    costs = {id(row): price.of(row) or 0.0 for row in rows}
    if len(set(costs.values())) < 2:
        return None
    best = front(rows, price)
    top, bottom, left = 14, 250, 46
    x = logarithmic(costs.values(), left + 12, _RIGHT - 12)
    means = [row.mean or 0.0 for row in rows]
    room = 0.1 * (max(means) - min(means)) + 0.002
    y = linear((min(means) - room, max(means) + room), bottom, top)
    parts = [line(left, y(tick), _RIGHT, y(tick), "grid") for tick in y.ticks]
    parts += [text(left - 6, y(tick) + 4, points(tick, _tick_digits(y)), "tick", "end") for tick in y.ticks]
    parts += [text(x(tick), bottom + 17, in_short(tick).replace(" ", "\u2009"), "tick", "middle") for tick in x.ticks]
    parts += [line(x(tick), bottom, x(tick), bottom + 4, "axis") for tick in x.ticks]
    unit = {"training time": "training time, s", "energy": "energy, J"}.get(price.name, price.name)
    scale = " (logarithmic)" if x.is_logarithmic else ""
    parts.append(text((left + _RIGHT) / 2, bottom + 34, unit + scale, "tick", "middle"))
    steps = [(x(costs[id(row)]), y(row.mean or 0.0)) for row in best]
    path = " ".join(f"{'H' if i else 'M'}{a:.1f}{f' V{b:.1f}' if i else f' {b:.1f}'}" for i, (a, b) in enumerate(steps))
    parts.append(element("path", d=f"{path} H{_RIGHT}", class_="front"))
    taken: list[tuple[float, float, float, float]] = [
        (a - 7, b - 7, a + 7, b + 7) for a, b in ((x(costs[id(row)]), y(row.mean or 0.0)) for row in rows)
    ]
    for row in rows:
        at, mean, kind = x(costs[id(row)]), y(row.mean or 0.0), verdict(row, base)
        if row.interval:
            parts.append(line(at, y(row.interval[0]), at, y(row.interval[1]), "whisker thin"))
        tip = f"{row.name}: {accuracy_text(row)}; {price.text(costs[id(row)])}{'; on the front' if row in best else ''}"
        shape = "square" if row is base else SHAPES[kind]
        parts.append(mark(shape, at, mean, f"mark {kind}", tip))
        parts.append(_label(row, at, mean, taken, (left, bottom), bold=row in best))
    return chart(
        _WIDTH,
        bottom + 42,
        f"Accuracy against {price.name}",
        f"On the Pareto front: {', '.join(row.name for row in best)}. "
        + "; ".join(f"{row.name}: {accuracy_text(row)}, {price.text(costs[id(row)])}" for row in rows),
        *parts,
    )


def learning_curve(row: Row, base: Row, rows: Sequence[Row]) -> Markup | None:
    """Test accuracy by epoch with the band of all runs, and the baseline's mean; None without an epoch."""
    curves = [each.curve for each in rows]
    values = [v for c in curves for v in (*c.low, *c.high)] or [v for c in curves for run in c.lost for v in run]
    own = row.curve
    epochs = max((len(c) for each in (own, base.curve) for c in (each.mean, *each.lost)), default=0)
    if not values or not (own.mean or own.lost) or epochs < 2:
        return None
    left, right, top, bottom = 34, 232, 24, 152
    x, y = Axis(1, epochs, left, right, (1, epochs)), linear(values, bottom, top, ticks=3)
    parts = [line(left, y(tick), right, y(tick), "grid") for tick in y.ticks]
    parts += [text(left - 5, y(tick) + 4, points(tick, _tick_digits(y)), "tick", "end") for tick in y.ticks]
    parts += [text(x(tick), bottom + 15, f"{tick:.0f}", "tick", "middle") for tick in x.ticks]
    parts.append(text((left + right) / 2, bottom + 15, "epoch", "tick", "middle"))
    parts.append(text(left, 14, short(row.name, 28), "label"))
    if own.mean:
        outline = [*enumerate(own.high, 1), *reversed(list(enumerate(own.low, 1)))]
        parts.append(element("polygon", points=_points(x, y, outline), class_="band"))
    if row is not base and base.curve.mean:
        parts.append(element("polyline", points=_points(x, y, enumerate(base.curve.mean, 1)), class_="curve base"))
    parts.append(element("polyline", points=_points(x, y, enumerate(own.mean, 1)), class_="curve"))
    for run in own.lost:
        parts.append(element("polyline", points=_points(x, y, enumerate(run, 1)), class_="curve lost"))
        end = (x(len(run)), y(run[-1])) if run else (x(1), y(y.low))
        parts.append(text(end[0], end[1] + 4, "\u00d7", "cross", "middle"))
    said = f"mean of the last epoch {points(own.mean[-1])} %" if own.mean else "no run finished"
    lost = f"; {len(own.lost)} lost" if own.lost else ""
    return chart(240, 172, f"Learning curve of {row.name}", f"Test accuracy by epoch; {said}{lost}", *parts)


def class_gains(row: Row, images: SpecImages) -> Markup | None:
    """How much more of each class is right than with the baseline, in points."""
    if images.effect is None:
        return None
    gains, height = images.effect.class_gains, 20
    x = linear(gains, 150, _RIGHT - 40, ticks=4, zero=True)
    bottom = 8 + height * len(gains)
    parts = _signed_axis(x, bottom)
    for i, (name, gain) in enumerate(zip(images.classes, gains, strict=True)):
        middle, (start, end) = 8 + i * height + height / 2, sorted((x(0), x(gain)))
        side = "better" if gain >= 0 else "worse"
        parts.append(text(0, middle + 4, short(name, 16), "tick"))
        parts.append(element("rect", x=start, y=middle - 6, width=end - start, height=12.0, class_=f"gain {side}"))
        where, anchor = (end + 4, "start") if gain >= 0 else (start - 4, "end")
        parts.append(text(where, middle + 4, points(gain, sign=True), "tick strong", anchor))
    said = ", ".join(f"{name} {points(gain, sign=True)}" for name, gain in zip(images.classes, gains, strict=True))
    return chart(_WIDTH, bottom + 20, f"Gains of {row.name} by class, in points", said, *parts)


def short(name: str, most: int) -> str:
    """A name cut to what there is room for."""
    return name if len(name) <= most else name[: most - 1] + "\u2026"


def _differences(rows: Sequence[Row]) -> list[float]:
    """What the axis must show: all differences and intervals, but no interval that would squeeze all others."""
    effects = [row.effect for row in rows if row.effect]
    seen = [effect.difference for effect in effects]
    ends = [end for effect in effects for end in (effect.simultaneous or ())]
    reach = 4 * max([0.01, *map(abs, seen)])
    return [*seen, *(min(reach, max(-reach, end)) for end in ends)]


def _interval(x: Axis, interval: tuple[float, float] | None, middle: float, class_: str) -> list[Markup]:
    if interval is None:
        return []
    low, high = map(x, interval)
    inside = [end for end, value in zip((low, high), interval, strict=True) if x.low <= value <= x.high]
    caps = [line(end, middle - 4, end, middle + 4, class_) for end in inside]  # none where it goes on beyond the edge
    return [line(low, middle, high, middle, class_), *caps]


def _signed_axis(x: Axis, bottom: float) -> list[Markup]:
    lines = [line(x(tick), 8, x(tick), bottom, "zero" if abs(tick) < 1e-12 else "grid") for tick in x.ticks]
    digits = _tick_digits(x)
    names = ["0" if abs(tick) < 1e-12 else points(tick, digits, sign=True) for tick in x.ticks]
    return lines + [
        text(x(tick), bottom + 15, name, "tick", "middle") for tick, name in zip(x.ticks, names, strict=True)
    ]


def _percent_axis(x: Axis, bottom: float) -> list[Markup]:
    lines = [line(x(tick), 8, x(tick), bottom, "grid") for tick in x.ticks]
    return lines + [text(x(tick), bottom + 16, points(tick, 0) + " %", "tick", "middle") for tick in x.ticks]


def _tick_digits(axis: Axis) -> int:
    step = 100 * (axis.ticks[1] - axis.ticks[0]) if len(axis.ticks) > 1 else 1
    return next((digits for digits in range(4) if abs(round(step, digits) - step) < 1e-6), 3)


def _points(x: Axis, y: Axis, values: "Sequence[tuple[int, float]] | enumerate[float]") -> str:
    return " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in values)


def _label(
    row: Row,
    at: float,
    mean: float,
    taken: list[tuple[float, float, float, float]],
    corner: tuple[float, float],
    *,
    bold: bool,
) -> Markup:
    """The name beside a point, where it covers no other name or point; nothing where there is no such place."""
    words = short(row.name, 20)
    wide = _LETTER * len(words)
    places = [
        (at + 9, mean + 4, "start"),
        (at - 9, mean + 4, "end"),
        (at, mean - 10, "middle"),
        (at, mean + 19, "middle"),
        (at + 8, mean - 9, "start"),
        (at + 8, mean + 17, "start"),
        (at - 8, mean - 9, "end"),
        (at - 8, mean + 17, "end"),
    ]
    for a, b, anchor in places:
        start = a - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
        box = (start, b - 11, start + wide, b + 3)
        if box[0] < corner[0] or box[2] > _WIDTH or box[1] < 0 or box[3] > corner[1]:
            continue
        if not any(box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3] for t in taken):
            taken.append(box)
            return text(a, b, words, "name strong" if bold else "name", anchor)
    return Markup()
