"""Picture -> canvas: every box and frame gets its place, every arrow its way, in one of two directions."""

from collections.abc import Sequence

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import define, evolve, field, frozen
from cifar_dsl.views.pictures.canvas import Canvas, Dot, Line, Mark, Point, Rectangle, Words, text_width
from cifar_dsl.views.pictures.families import FORK, LEGEND
from cifar_dsl.views.pictures.levels import END, START, Cell, Link, Placed, place
from cifar_dsl.views.pictures.model import INPUT, Arrow, Box, Direction, Frame, Item, Picture

_TITLE, _NOTE, _HEADING = 11.0, 8.8, 14.0  # font sizes
_TITLE_LINE, _NOTE_LINE = 14.0, 11.5  # line heights
_PAD = 12.0  # inside a box, beside its words, and inside a frame
_MARGIN = 14.0  # around the picture
_BESIDE = 10.0  # between a frame's title and the tensor that enters beside it
_FORK = 2.2  # radius
_SAMPLE = 9.0  # of a colour, in the legend
_LONGEST_ARROWS = 3_000  # together, in rows of boxes; the time of a layout grows faster than that


def laid_out(picture: Picture, direction: Direction = "down", *, has_heading: bool = True) -> Canvas:
    """The picture with its places, below a heading or without one. Raises UserError if it is too large."""
    length = picture.length_of_arrows
    if length > _LONGEST_ARROWS:
        raise UserError(
            f"this picture is too large to arrange: its arrows pass {length:,} boxes (at most {_LONGEST_ARROWS:,})",
            "group stages in blocks, and expand fewer of them with `--depth`",
            "or write a .mmd or .dot file, which holds the network without a layout",
        )
    return _Layout(picture, direction, has_heading).canvas()


@frozen
class _Level:
    """The items of a frame or of the whole picture, placed."""

    items: tuple[Item, ...]
    placed: Placed
    arrows: tuple[tuple[int, ...], ...]  # by link: the arrows that it belongs to
    levels: "dict[str, _Level]"  # of the frames
    low: float  # across, with the frame's padding
    high: float


@define(eq=False)
class _Layout:
    picture: Picture
    direction: Direction
    has_heading: bool
    _arrows: list[Arrow] = field(factory=list)
    _homes: dict[str, tuple[str, ...]] = field(factory=dict)  # by box: the frames around it, the outermost first
    _marks: list[Mark] = field(factory=list)
    _texts: list[Words] = field(factory=list)
    _routes: dict[int, list[Point]] = field(factory=dict)  # by arrow

    def canvas(self) -> Canvas:
        self._arrows = _merged(self.picture.arrows)
        self._find_homes(self.picture.items, ())
        level = self._level(self.picture.items, (), None)
        self._draw(level, 0.0, -level.low, ())
        forks = {box.key for box in self.picture.boxes() if box.family == FORK}
        lines = [
            Line(tuple(self._point(*at) for at in _tidy(self._routes[number])), arrow.end not in forks)
            for number, arrow in enumerate(self._arrows)
        ]
        width, height = self._point(level.placed.length, level.high - level.low)
        return self._framed([*self._marks_of(Rectangle), *lines, *self._marks_of(Dot), *self._texts], width, height)

    def _marks_of(self, kind: type) -> list[Mark]:
        return [mark for mark in self._marks if isinstance(mark, kind)]

    def _point(self, along: float, across: float) -> Point:
        return (across, along) if self.direction == "down" else (along, across)

    @property
    def _is_down(self) -> bool:
        return self.direction == "down"

    def _find_homes(self, items: Sequence[Item], frames: tuple[str, ...]) -> None:
        for item in items:
            if isinstance(item, Frame):
                self._find_homes(item.items, (*frames, item.key))
            else:
                self._homes[item.key] = frames

    # ---- places

    def _level(self, items: tuple[Item, ...], frames: tuple[str, ...], frame: Frame | None) -> _Level:
        levels = {
            item.key: self._level(item.items, (*frames, item.key), item) for item in items if isinstance(item, Frame)
        }
        cells = [
            self._frame_cell(levels[item.key]) if isinstance(item, Frame) else self._box_cell(item) for item in items
        ]
        links, arrows = self._links(items, frames)
        if frame is None:
            placed = place(cells, links, begin=0.0, end=0.0)
            return _Level(items, placed, arrows, levels, placed.low, placed.high)
        width, height = self._title_size(frame)
        if not self._is_down:
            placed = place(cells, links, begin=_PAD, end=_PAD)
            missing = max(0.0, width + 2 * _PAD - placed.length)  # of room for the title
            if missing:
                placed = place(cells, links, begin=_PAD + missing / 2, end=_PAD + missing / 2)
            return _Level(items, placed, arrows, levels, placed.low - _PAD - height + 2, placed.high + _PAD)
        placed = place(cells, links, begin=height + 6, end=_PAD)
        low, high = placed.low - _PAD, placed.high + _PAD
        entries = [route[0][1] for route, link in zip(placed.routes, links, strict=True) if link.start == START]
        if entries:
            low = min(low, min(entries) - width - _PAD - _BESIDE)
        if len(entries) == 1:  # the same room on both sides
            high = max(high, 2 * entries[0] - low)
        return _Level(items, placed, arrows, levels, low, max(high, low + width + 2 * _PAD))

    def _links(self, items: Sequence[Item], frames: tuple[str, ...]) -> tuple[list[Link], tuple[tuple[int, ...], ...]]:
        """The tensors of a level, and the arrows that each belongs to."""
        numbers = {item.key: number for number, item in enumerate(items)}
        links: dict[tuple[str, int, int], Link] = {}
        arrows: dict[tuple[str, int, int], list[int]] = {}
        for number, arrow in enumerate(self._arrows):
            start, end = (self._at(key, frames, numbers) for key in (arrow.start, arrow.end))
            if start == end:
                continue  # both ends are outside, or in one frame
            key = (arrow.start, START if start is None else start, END if end is None else end)
            arrows.setdefault(key, []).append(number)
            links.setdefault(key, Link(*key))
            if arrow.label and start is not None and end is not None:
                links[key] = self._labelled(links[key], arrow.label)
        return [*links.values()], tuple(tuple(arrows[key]) for key in links)

    def _at(self, key: str, frames: tuple[str, ...], numbers: dict[str, int]) -> int | None:
        """The number of the item on this level that is or holds a box; None if the box is outside."""
        home = self._homes[key]
        if home[: len(frames)] != frames:
            return None
        return numbers[home[len(frames)] if len(home) > len(frames) else key]

    def _box_cell(self, box: Box) -> Cell:
        if box.family == FORK:
            return Cell(_FORK, _FORK, 2 * _FORK, 0, side="start")
        width, height = self._box_size(box)
        along, across = (height, width) if self._is_down else (width, height)
        return Cell(across / 2, across / 2, along, is_loose=box.key != INPUT, side="end")

    def _frame_cell(self, level: _Level) -> Cell:
        """A frame; its place across is its lower side."""
        exits, entries = {}, {}
        for route, numbers in zip(level.placed.routes, level.arrows, strict=True):
            for number in numbers:
                net = self._arrows[number].start
                if route[0][0] == 0.0 and self._is_outside(self._arrows[number].start, level):
                    entries[net] = route[0][1] - level.low
                if self._is_outside(self._arrows[number].end, level):
                    exits[net] = route[-1][1] - level.low
        return Cell(0.0, level.high - level.low, level.placed.length, len(level.items), exits, entries)

    def _is_outside(self, key: str, level: _Level) -> bool:
        frames = self._homes[key]
        return not any(item.key == key or (isinstance(item, Frame) and item.key in frames) for item in level.items)

    def _box_size(self, box: Box) -> Point:
        """Width and height."""
        width, height = self._words_size(box.title, box.notes)
        if box.family == "terminal":
            return width + 8, height + 4
        return max(48.0, width + 2 * _PAD), height + 9

    def _words_size(self, title: str, notes: Sequence[str]) -> Point:
        width = max([text_width(title, _TITLE), *(text_width(note, _NOTE) for note in notes)])
        return width, (_TITLE_LINE if title else 0.0) + _NOTE_LINE * len(notes)

    def _title_size(self, frame: Frame) -> Point:
        width, height = self._words_size(frame.title, frame.notes)
        return width, height + 4

    def _labelled(self, link: Link, label: str) -> Link:
        width = text_width(label, _NOTE)
        if self._is_down:
            return evolve(link, label_length=17.0, label_after=width + 7)
        return evolve(link, label_length=width + 12, label_before=14.0)

    # ---- marks

    def _draw(self, level: _Level, along: float, across: float, frames: tuple[str, ...]) -> None:
        """Draw the items of a level whose own zero is at (along, across)."""
        for item, (start, middle) in zip(level.items, level.placed.cells, strict=True):
            if isinstance(item, Frame):
                inner = level.levels[item.key]
                self._draw_frame(item, inner, along + start, across + middle)
                self._draw(inner, along + start, across + middle - inner.low, (*frames, item.key))
            else:
                self._draw_box(item, along + start, across + middle)
        for route, numbers in zip(level.placed.routes, level.arrows, strict=True):
            points = [(along + a, across + b) for a, b in route]
            for number in numbers:
                self._extend(number, points)
        self._draw_labels(level, along, across, frames)

    def _draw_labels(self, level: _Level, along: float, across: float, frames: tuple[str, ...]) -> None:
        for (start, middle), numbers in zip(level.placed.labels, level.arrows, strict=True):
            for number in numbers:
                arrow = self._arrows[number]
                depth = _common(self._homes[arrow.start], self._homes[arrow.end])
                if arrow.label and depth == len(frames):
                    x, y = self._point(along + start, across + middle)
                    if self._is_down:
                        self._texts.append(Words(x + 4, y + 11, arrow.label, _NOTE, "faint", "start"))
                    else:
                        self._texts.append(Words(x + 5, y - 4, arrow.label, _NOTE, "faint", "start"))

    def _extend(self, number: int, points: list[Point]) -> None:
        """Add a part of an arrow's way; parts follow each other from the innermost frame to the outside, and back."""
        known = self._routes.setdefault(number, [])
        if known and _far(known[-1], points[0]) > _far(points[-1], known[0]):
            self._routes[number] = points + known
        else:
            known += points

    def _draw_box(self, box: Box, along: float, across: float) -> None:
        width, height = self._box_size(box)
        if box.family == FORK:
            x, y = self._point(along + _FORK, across)
            self._marks.append(Dot(x, y, _FORK))
            return
        x, y = self._point(along, across - (width if self._is_down else height) / 2)
        if box.family != "terminal":
            self._marks.append(Rectangle(box.family, x, y, width, height, 6.0, box.key))
        words = self._words_size(box.title, box.notes)[1]
        self._write(box.title, box.notes, x + width / 2, y + (height - words) / 2, "middle")

    def _draw_frame(self, frame: Frame, level: _Level, along: float, across: float) -> None:
        x, y = self._point(along, across)
        width, height = self._point(level.placed.length, level.high - level.low)
        self._marks.append(Rectangle("frame", x, y, width, height, 8.0, frame.key))
        self._write(frame.title, frame.notes, x + _PAD, y + 5, "start")

    def _write(self, title: str, notes: Sequence[str], x: float, y: float, anchor: str) -> None:
        if title:
            self._texts.append(Words(x, y + 0.78 * _TITLE_LINE, title, _TITLE, "ink", anchor))
            y += _TITLE_LINE
        for note in notes:
            self._texts.append(Words(x, y + 0.76 * _NOTE_LINE, note, _NOTE, "faint", anchor))
            y += _NOTE_LINE

    # ---- what is around the network

    def _framed(self, marks: list[Mark], width: float, height: float) -> Canvas:
        """The canvas with its heading, and a legend below."""
        picture = self.picture
        heading: list[tuple[str, float, str]] = []
        if self.has_heading:
            heading = [(picture.name, _HEADING, "ink"), *((note, _NOTE + 1, "faint") for note in picture.notes)]
        top = _MARGIN + (13 + 13 * len(heading) if heading else 0)
        inner = max(width, *(text_width(words, size) for words, size, _ in heading), 200.0)
        rows = _legend_rows(self._legend(), inner)
        shown = [_moved(mark, _MARGIN + (inner - width) / 2, top) for mark in marks]
        middle = _MARGIN + inner / 2
        head = [
            Words(middle, _MARGIN + (14 + 13 * i if i else 12), words, size, ink)
            for i, (words, size, ink) in enumerate(heading)
        ]
        bottom = top + height + 14
        for i, row in enumerate(rows):
            x = middle - (row[-1][2] + text_width(row[-1][1], _NOTE)) / 2
            for look, words, at in row:
                y = bottom + 15 * i
                if look:
                    shown.append(Rectangle(look, x + at - _SAMPLE - 4, y, _SAMPLE, _SAMPLE, 2.0))
                shown.append(Words(x + at, y + 8, words, _NOTE, "faint", "start"))
        return Canvas(
            picture.name, picture.notes, inner + 2 * _MARGIN, bottom + 15 * len(rows) + _MARGIN - 6, (*head, *shown)
        )

    def _legend(self) -> list[tuple[str, str]]:
        """The families of the picture with their meaning, and that of counts."""
        used = {box.family for box in self.picture.boxes()}
        entries = [(family, words) for family, words in LEGEND.items() if family in used]
        if any("  x" in title or title.startswith("x") for title in _titles(self.picture.items)):
            entries.append(("", "xN: N in a row"))
        return entries


def _titles(items: Sequence[Item]) -> list[str]:
    return [
        title
        for item in items
        for title in ([item.title] if isinstance(item, Box) else [item.title, *_titles(item.items)])
    ]


def _legend_rows(entries: Sequence[tuple[str, str]], room: float) -> list[list[tuple[str, str, float]]]:
    """The entries in rows that fit, each with the place of its words from the row's start."""
    rows: list[list[tuple[str, str, float]]] = []
    at = 0.0
    for look, words in entries:
        width = text_width(words, _NOTE) + (_SAMPLE + 4 if look else 0.0)
        if not rows or at + width > room:
            rows.append([])
            at = 0.0
        rows[-1].append((look, words, at + (_SAMPLE + 4 if look else 0.0)))
        at += width + 14
    return rows


def _merged(arrows: Sequence[Arrow]) -> list[Arrow]:
    """The arrows, where those between the same boxes are one, with all labels."""
    found: dict[tuple[str, str], list[str]] = {}
    for arrow in arrows:
        found.setdefault((arrow.start, arrow.end), []).append(arrow.label)
    merged = []
    for (start, end), labels in found.items():
        label = ", ".join(filter(None, labels))
        merged.append(Arrow(start, end, label or (f"{len(labels)} tensors" if len(labels) > 1 else "")))
    return merged


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """The number of frames around both."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _far(one: Point, other: Point) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _tidy(points: Sequence[Point]) -> list[Point]:
    """The points of a way without repeats, and without those amid a straight line."""
    kept: list[Point] = []
    for point in points:
        if kept and _far(kept[-1], point) < 0.01:
            continue
        while len(kept) > 1 and _is_straight(kept[-2], kept[-1], point):
            kept.pop()
        kept.append(point)
    return kept


def _is_straight(a: Point, b: Point, c: Point) -> bool:
    return any(abs(a[i] - b[i]) < 0.5 and abs(b[i] - c[i]) < 0.5 for i in (0, 1))


def _moved(mark: Mark, x: float, y: float) -> Mark:
    if isinstance(mark, Line):
        return evolve(mark, points=tuple((a + x, b + y) for a, b in mark.points))
    return evolve(mark, x=mark.x + x, y=mark.y + y)
