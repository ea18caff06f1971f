"""The charts of a comparison: accuracies, differences, trade-offs, learning curves, gains by class."""

from collections.abc import Sequence

from markupsafe import Markup

from cifar_dsl.experiments.comparison.curves import by_epoch
from cifar_dsl.experiments.comparison.effects import Effect, Interval
from cifar_dsl.experiments.comparison.efficiency import Price, front
from cifar_dsl.experiments.comparison.images import SpecImages
from cifar_dsl.experiments.comparison.rows import Comparison, Row
from cifar_dsl.experiments.comparison.sentences import range_text, sentence
from cifar_dsl.experiments.comparison.svg import (
    Axis,
    chart,
    element,
    fitted,
    line,
    linear,
    logarithmic,
    mark,
    text,
    text_width,
)
from cifar_dsl.experiments.comparison.tables import accuracy_text, count_text
from cifar_dsl.foundation.text import in_short, points

_WIDTH, _LEFT, _RIGHT = 440, 14, 420
_ROW = 40  # height of a spec, in units
_LABEL, _SMALL = 13.5, 12.5  # largest font sizes, on a narrow page

_COLOURS = 8  # of lines, in palette.css

SHAPES = {"better": "up", "worse": "down", "unclear": "round", "untested": "round"}


def verdict(row: Row, base: Row) -> str:
    """The CSS class of a row's marks: its verdict against the baseline."""
    if row is base:
        return "base"
    return kind_of(row.effect) if row.effect else "untested"


def kind_of(effect: Effect) -> str:
    """The CSS class of an effect: of a claim its verdict, and of all others one class."""
    return effect.verdict if effect.verdict in SHAPES else "unclear"


def accuracy_bars(comparison: Comparison) -> Markup:
    """A bar from 0 for each spec, with the interval of its mean and a dot per run."""
    rows = comparison.rows
    x = accuracy_axis(rows, _LEFT, _RIGHT)
    bottom = 8 + _ROW * len(rows)
    parts = percent_axis(x, 8, bottom)
    for i, row in enumerate(rows):
        top = 8 + i * _ROW
        parts += _heading(row, f"{accuracy_text(row)}, n = {count_text(row)}", top + 13)
        parts += accuracy_marks(row, x, top + 25, is_base=i == 0)
    return chart(_WIDTH, bottom + 26, "Accuracy of each spec", accuracies_in_words(comparison), *parts)


def difference_forest(comparison: Comparison) -> Markup | None:
    """The difference of each spec from the baseline, with both intervals; None without any."""
    base, rows = comparison.base_row, [row for row in comparison.rows[1:] if row.effect]
    if not rows:
        return None
    x = difference_axis(rows, _LEFT, _RIGHT)
    bottom = 8 + _ROW * len(rows)
    parts = signed_axis(x, 8, bottom)
    name = fitted(base.name, 200, _SMALL)
    parts.append(text((_LEFT + _RIGHT) / 2, bottom + 30, f"points from {name}", "tick", "middle"))
    for i, row in enumerate(rows):
        top = 8 + i * _ROW
        assert row.effect is not None
        figure = points(row.effect.difference, 2, sign=True)
        if row.effect.simultaneous:
            figure += f" ({range_text(row.effect.simultaneous, sign=True)})"
        parts += _heading(row, figure, top + 13)
        parts += difference_marks(row, base, x, top + 26)
    description = "; ".join(sentence(row, base) for row in rows)
    return chart(_WIDTH, bottom + 36, f"Difference from {base.name}, in points", description, *parts)


def accuracy_axis(rows: Sequence[Row], start: float, end: float) -> Axis:
    """From 0 to the highest accuracy or interval, at most 1."""
    highest = max((value for row in rows for value in (*row.accuracies, *(row.interval or ()))), default=1.0)
    return linear((0.0, min(1.0, max(0.1, highest))), start, end, zero=True)


def accuracy_marks(row: Row, x: Axis, middle: float, *, is_base: bool) -> list[Markup]:
    """A bar for the mean, a whisker for its interval, and a dot per run; nothing without a finished run."""
    if row.mean is None:
        return []
    title = element("title", f"{row.name}: {accuracy_text(row)}")
    size = {"x": x.start, "y": middle - 6, "width": x(row.mean) - x.start, "height": 12.0}
    bar = element("rect", title, class_="bar base" if is_base else "bar", **size)
    dots = [element("circle", cx=x(value), cy=middle, r=2, class_="run") for value in row.accuracies]
    return [bar, *_interval(x, row.interval, middle, "whisker"), *dots]


def accuracies_in_words(comparison: Comparison) -> str:
    """The bars as text, for screen readers."""
    return "Bars from 0; " + "; ".join(f"{row.name} {accuracy_text(row)}" for row in comparison.rows)


def difference_axis(rows: Sequence[Row], start: float, end: float) -> Axis:
    """An axis for all differences and intervals; very wide intervals are cut so that the others stay readable."""
    effects = [row.effect for row in rows if row.effect]
    differences = [effect.difference for effect in effects]
    ends = [end for effect in effects for end in (effect.simultaneous or ())]
    reach = 4 * max([0.01, *map(abs, differences)])
    return linear([*differences, *(min(reach, max(-reach, end)) for end in ends)], start, end, zero=True)


def difference_marks(row: Row, base: Row, x: Axis, middle: float) -> list[Markup]:
    """The difference from the baseline: thick its own interval, thin the simultaneous interval for all specs."""
    effect = row.effect
    if effect is None:
        return []
    kind = kind_of(effect)
    parts = _interval(x, effect.simultaneous, middle, f"together {kind}")
    if effect.interval:
        parts.append(line(x(effect.interval[0]), middle, x(effect.interval[1]), middle, f"alone {kind}"))
    return [*parts, mark(SHAPES[kind], x(effect.difference), middle, f"mark {kind}", sentence(row, base))]


def tradeoff(comparison: Comparison, price: Price) -> Markup | None:
    """Accuracy against a cost, with the Pareto front; None if all specs have the same cost."""
    base = comparison.base_row
    rows = [row for row in comparison.rows if row.mean is not None and price.of(row)]
    costs = {id(row): price.of(row) or 0.0 for row in rows}
    if len(set(costs.values())) < 2:
        return None
    best = front(rows, price)
    top, bottom, left = 14, 250, 46
    x = logarithmic(costs.values(), left + 12, _RIGHT - 12)
    y = _mean_axis(rows, bottom, top)
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
    occupied: list[tuple[float, float, float, float]] = [
        (a - 7, b - 7, a + 7, b + 7) for a, b in ((x(costs[id(row)]), y(row.mean or 0.0)) for row in rows)
    ]
    for row in rows:
        at, mean, kind = x(costs[id(row)]), y(row.mean or 0.0), verdict(row, base)
        parts += _whisker(y, row.interval, at)
        tip = f"{row.name}: {accuracy_text(row)}; {price.text(costs[id(row)])}{'; on the front' if row in best else ''}"
        shape = "square" if row is base else SHAPES[kind]
        parts.append(mark(shape, at, mean, f"mark {kind}", tip))
        parts.append(_label(row, at, mean, occupied, (left, bottom), bold=row in best))
    return chart(
        _WIDTH,
        bottom + 42,
        f"Accuracy against {price.name}",
        f"On the Pareto front: {', '.join(row.name for row in best)}. "
        + "; ".join(f"{row.name}: {accuracy_text(row)}, {price.text(costs[id(row)])}" for row in rows),
        *parts,
    )


def _mean_axis(rows: Sequence[Row], start: float, end: float) -> Axis:
    """An axis for all means and their intervals; very wide intervals are cut so that the means stay apart."""
    means = [row.mean or 0.0 for row in rows]
    spread = max(means) - min(means)
    low, high = min(means) - 0.5 * spread - 0.005, max(means) + 0.5 * spread + 0.005
    ends = [min(high, max(low, value)) for row in rows for value in (row.interval or ())]
    room = 0.1 * spread + 0.002
    return linear((min([*ends, min(means) - room]), max([*ends, max(means) + room])), start, end)


def _whisker(y: Axis, interval: Interval | None, at: float) -> list[Markup]:
    """An upright interval; it has a cap at an end within the axis, and an arrow at an end beyond."""
    if interval is None:
        return []
    parts = [line(at, y(interval[0]), at, y(interval[1]), "whisker thin")]
    for value, inward in ((interval[0], -4), (interval[1], 4)):
        end = y(value)
        if y.low <= value <= y.high:
            parts.append(line(at - 3, end, at + 3, end, "whisker thin"))
        else:
            parts += [line(at, end, at + side, end + inward, "whisker thin") for side in (-3, 3)]
    return parts


def learning_curve(row: Row, base: Row, rows: Sequence[Row]) -> Markup | None:
    """Accuracy by epoch on test images, with the range of all runs, and on training images, and the baseline's.

    None for fewer than 2 epochs.
    """
    curves = [each.curve for each in rows]
    shown = [v for c in curves for v in (*c.low, *c.high, *c.train) if v is not None]
    values = shown or [v for c in curves for run in c.lost for v in run if v is not None]
    own = row.curve
    first = min(own.first, base.curve.first)
    last = max((each.first + len(c) - 1 for each in (own, base.curve) for c in (each.mean, *each.lost)), default=0)
    if not values or not (own.mean or own.lost) or last <= first:
        return None
    left, right, top, bottom = 34, 232, 24, 152
    x, y = Axis(first, last, left, right, (first, last)), linear(values, bottom, top, ticks=3)
    parts = [line(left, y(tick), right, y(tick), "grid") for tick in y.ticks]
    parts += [text(left - 5, y(tick) + 4, points(tick, _tick_digits(y)), "tick", "end") for tick in y.ticks]
    parts += [text(x(tick), bottom + 15, f"{tick:.0f}", "tick", "middle") for tick in x.ticks]
    parts.append(text((left + right) / 2, bottom + 15, "epoch", "tick", "middle"))
    parts.append(text(left, 14, fitted(row.name, right - left, _LABEL), "label"))
    mean = by_epoch(own.mean, own.first)
    if mean:
        outline = [*by_epoch(own.high, own.first), *reversed(by_epoch(own.low, own.first))]
        parts.append(element("polygon", points=_points(x, y, outline), class_="band"))
    if row is not base and base.curve.mean:
        parts.append(
            element("polyline", points=_points(x, y, by_epoch(base.curve.mean, base.curve.first)), class_="curve base")
        )
    parts.append(element("polyline", points=_points(x, y, by_epoch(own.train, own.first)), class_="curve train"))
    parts.append(element("polyline", points=_points(x, y, mean), class_="curve"))
    for run in own.lost:
        tested = by_epoch(run, own.first)
        parts.append(element("polyline", points=_points(x, y, tested), class_="curve lost"))
        end = (x(tested[-1][0]), y(tested[-1][1])) if tested else (x(own.first), y(y.low))
        parts.append(text(end[0], end[1] + 4, "\u00d7", "cross", "middle"))
    summary = f"test accuracy after the last epoch {points(mean[-1][1])} %" if mean else "no run finished"
    summary += f", on training images {points(own.train[-1])} %" if own.train else ""
    lost = f"; {len(own.lost)} lost" if own.lost else ""
    return chart(240, 172, f"Learning curve of {row.name}", f"Accuracy by epoch; {summary}{lost}", *parts)


def overlay(comparison: Comparison) -> Markup | None:
    """The mean test accuracy of all specs by epoch in one frame, each with its name; None for fewer than 2 epochs.

    The report's script reads its `data-` attributes to show values.
    """
    means = {row.name: by_epoch(row.curve.mean, row.curve.first) for row in comparison.rows if row.curve.mean}
    rows = [row for row in comparison.rows if row.name in means]
    first = min((mean[0][0] for mean in means.values()), default=1)
    last = max((mean[-1][0] for mean in means.values()), default=1)
    if last <= first:
        return None
    left, right, top, bottom = 44, 700, 12, max(300, 24 + 15 * len(rows))
    x = Axis(first, last, left, right, _epoch_ticks(first, last))
    y = linear([value for mean in means.values() for _, value in mean], bottom, top)
    parts = [line(left, y(tick), right, y(tick), "grid") for tick in y.ticks]
    parts += [text(left - 6, y(tick) + 4, points(tick, _tick_digits(y)), "tick", "end") for tick in y.ticks]
    parts += [text(x(tick), bottom + 17, f"{tick:.0f}", "tick", "middle") for tick in x.ticks]
    parts.append(text((left + right) / 2, bottom + 34, "epoch", "tick", "middle"))
    ends = {name: mean[-1] for name, mean in means.items()}  # epoch and accuracy
    names = sorted(ends, key=lambda name: -ends[name][1])
    places = _apart([y(ends[name][1]) for name in names], 15, top + 6, bottom)
    for row in rows:
        number = comparison.rows.index(row)
        kind = series(number)
        parts.append(element("polyline", points=_points(x, y, means[row.name]), class_=f"series {kind}"))
        end, place = (x(ends[row.name][0]), y(ends[row.name][1])), places[names.index(row.name)]
        parts.append(
            element("path", d=f"M{end[0]:.1f} {end[1]:.1f}H{right + 4}L{right + 20} {place:.1f}", class_="leader")
        )
        parts.append(text(right + 24, place + 4, fitted(row.name, 130, _SMALL), f"series-name {kind}"))
    spoken = "; ".join(f"{name} {points(ends[name][1])} %" for name in names)
    return chart(
        860,
        bottom + 40,
        "Test accuracy by epoch of all specs",
        f"After the last epoch: {spoken}",
        *parts,
        id="overlay",
        data_left=left,
        data_right=right,
        data_first=first,
        data_last=last,
        data_top=top,
        data_bottom=bottom,
    )


def series(number: int) -> str:
    """The CSS classes of the line of a spec, by its number: a colour, and dashes when the colours begin again."""
    again = f" again-{min(3, number // _COLOURS)}" if number >= _COLOURS else ""
    return f"series-{number % _COLOURS}{again}"


def _epoch_ticks(first: int, last: int) -> tuple[float, ...]:
    inner = [tick for tick in linear((first, last), 0, 1, ticks=8).ticks if first <= tick <= last and tick == int(tick)]
    return tuple(dict.fromkeys([first, *(tick for tick in inner if tick - first > (last - first) / 20)]))


def _apart(places: Sequence[float], distance: float, low: float, high: float) -> list[float]:
    """Places in ascending order, moved apart by `distance`, as little as possible, within `low` and `high`.

    Neighbours that collide become a block around the mean of their places (pool adjacent violators, the least sum of
    squared moves). Without room for all, the last ones are beyond `high`.
    """
    blocks: list[tuple[float, int]] = []  # the mean of places less the distances before them, and how many
    for number, place in enumerate(places):
        mean, count = place - number * distance, 1
        while blocks and blocks[-1][0] > mean:
            before, size = blocks.pop()
            mean, count = (before * size + mean * count) / (size + count), size + count
        blocks.append((mean, count))
    starts = [mean for mean, count in blocks for _ in range(count)]
    most = high - (len(places) - 1) * distance
    return [max(low, min(start, most)) + number * distance for number, start in enumerate(starts)]


def class_gains(row: Row, images: SpecImages) -> Markup | None:
    """The gain in accuracy over the baseline for each class, in percentage points."""
    if images.effect is None:
        return None
    gains, height = images.effect.class_gains, 20
    x = linear(gains, 150, _RIGHT - 40, ticks=4, zero=True)
    bottom = 8 + height * len(gains)
    parts = signed_axis(x, 8, bottom)
    for i, (name, gain) in enumerate(zip(images.classes, gains, strict=True)):
        middle, (start, end) = 8 + i * height + height / 2, sorted((x(0), x(gain)))
        side = "better" if gain >= 0 else "worse"
        parts.append(text(0, middle + 4, fitted(name, 90, _SMALL), "tick"))
        parts.append(element("rect", x=start, y=middle - 6, width=end - start, height=12.0, class_=f"gain {side}"))
        where, anchor = (end + 4, "start") if gain >= 0 else (start - 4, "end")
        parts.append(text(where, middle + 4, points(gain, sign=True), "tick strong", anchor))
    summary = ", ".join(f"{name} {points(gain, sign=True)}" for name, gain in zip(images.classes, gains, strict=True))
    return chart(_WIDTH, bottom + 20, f"Gains of {row.name} by class, in points", summary, *parts)


def percent_axis(x: Axis, top: float, bottom: float) -> list[Markup]:
    """Grid lines from `top` to `bottom`, with percentages below."""
    lines = [line(x(tick), top, x(tick), bottom, "grid") for tick in x.ticks]
    return lines + [text(x(tick), bottom + 16, points(tick, 0) + " %", "tick", "middle") for tick in x.ticks]


def signed_axis(x: Axis, top: float, bottom: float) -> list[Markup]:
    """Grid lines from `top` to `bottom`, the darkest at 0, with signed percentage points below."""
    is_zero = [abs(tick) < 1e-12 for tick in x.ticks]
    at = [x(tick) for tick in x.ticks]
    lines = [line(a, top, a, bottom, "zero" if zero else "grid") for a, zero in zip(at, is_zero, strict=True)]
    digits = _tick_digits(x)
    names = ["0" if zero else points(tick, digits, sign=True) for tick, zero in zip(x.ticks, is_zero, strict=True)]
    return lines + [text(a, bottom + 15, name, "tick", "middle") for a, name in zip(at, names, strict=True)]


def _heading(row: Row, figure: str, y: float) -> list[Markup]:
    """The heading of a row: the figure on the right, and the name on the left, cut to the remaining width."""
    room = _RIGHT - _LEFT - 12 - text_width(figure, _SMALL)
    name = text(_LEFT, y, fitted(row.name, room, _LABEL), "label")
    return [name, text(_RIGHT, y, figure, "figure", "end")]


def _interval(x: Axis, interval: Interval | None, middle: float, class_: str) -> list[Markup]:
    """A line with caps at its ends, or an arrow at an end beyond the axis."""
    if interval is None:
        return []
    low, high = map(x, interval)
    parts = [line(low, middle, high, middle, class_)]
    for end, value, inward in ((low, interval[0], 5), (high, interval[1], -5)):
        if x.low <= value <= x.high:
            parts.append(line(end, middle - 4, end, middle + 4, class_))
        else:
            parts += [line(end, middle, end + inward, middle + rise, class_) for rise in (-4, 4)]
    return parts


def _tick_digits(axis: Axis) -> int:
    step = 100 * (axis.ticks[1] - axis.ticks[0]) if len(axis.ticks) > 1 else 1
    return next((digits for digits in range(4) if abs(round(step, digits) - step) < 1e-6), 3)


def _points(x: Axis, y: Axis, values: Sequence[tuple[int, float]]) -> str:
    return " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in values)


def _label(
    row: Row,
    at: float,
    mean: float,
    occupied: list[tuple[float, float, float, float]],
    corner: tuple[float, float],
    *,
    bold: bool,
) -> Markup:
    """The name beside a point, at the first place without overlaps; nothing if there is no such place."""
    words = fitted(row.name, 140, _SMALL)
    wide = text_width(words, _SMALL)
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
        if not any(box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3] for t in occupied):
            occupied.append(box)
            return text(a, b, words, "name strong" if bold else "name", anchor)
    return Markup()
