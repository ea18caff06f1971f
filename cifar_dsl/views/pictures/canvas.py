"""A picture with all its places: rectangles, lines and words, which each format only spells."""

import math
from collections.abc import Sequence

from cifar_dsl.foundation.records import frozen

_WIDTHS = dict(
    zip(
        map(chr, range(0x20, 0x7F)),
        [
            *(278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278),
            *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556),
            *(1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778),
            *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556),
            *(333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556),
            *(556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584),
        ],
        strict=True,
    )
)
_WIDEST = 1_000  # of a letter outside ASCII
_BEND = 5.0  # radius of a line's corners

Point = tuple[float, float]


def text_width(words: str, size: float) -> float:
    """The width of `words` in Helvetica, Arial or Arimo of `size`; at least that for letters outside ASCII."""
    return size * sum(_WIDTHS.get(letter, _WIDEST) for letter in words) / 1_000


@frozen
class Rectangle:
    """A box, a frame or a sample of the legend. `look` names its colours, `tip` is its tooltip."""

    look: str
    x: float
    y: float
    width: float
    height: float
    radius: float
    tip: str = ""


@frozen
class Line:
    """A tensor's way along horizontal and vertical lines, with an arrowhead at its end if `has_head`."""

    points: tuple[Point, ...]
    has_head: bool


@frozen
class Dot:
    """A point where a tensor forks."""

    x: float
    y: float
    radius: float


@frozen
class Words:
    """A text of one line, whose baseline starts, ends or is centred at a point. `look` is "ink" or "faint"."""

    x: float
    y: float
    text: str
    size: float
    look: str
    anchor: str = "middle"


Mark = Rectangle | Line | Dot | Words


@frozen
class Canvas:
    """A drawn picture: its marks, those in front last. Places are in points, from the upper left corner."""

    name: str
    notes: tuple[str, ...]
    width: float
    height: float
    marks: tuple[Mark, ...]


def head(points: Sequence[Point], length: float = 6.0) -> list[Point]:
    """The corners of the arrowhead at the end of a way."""
    (x, y), (a, b) = _direction(points), points[-1]
    back, side = (a - length * x, b - length * y), 0.38 * length
    return [(a, b), (back[0] - side * y, back[1] + side * x), (back[0] + side * y, back[1] - side * x)]


def bends(points: Sequence[Point]) -> list[tuple[Point, Point, Point]]:
    """The rounded corners of a way: of each the start, the corner and the end."""
    corners = []
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_BEND, _distance(before, corner) / 2, _distance(corner, after) / 2)
        corners.append((_toward(corner, before, radius), corner, _toward(corner, after, radius)))
    return corners


def shaft(points: Sequence[Point]) -> list[Point]:
    """The way without the part under its arrowhead."""
    (x, y), (a, b) = _direction(points), points[-1]
    return [*points[:-1], (a - 4 * x, b - 4 * y)]


def _direction(points: Sequence[Point]) -> Point:
    (a, b), (c, d) = points[-2], points[-1]
    length = max(_distance((a, b), (c, d)), 1e-6)
    return (c - a) / length, (d - b) / length


def _distance(one: Point, other: Point) -> float:
    return math.dist(one, other)


def _toward(start: Point, end: Point, distance: float) -> Point:
    share = distance / max(_distance(start, end), 1e-6)
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
