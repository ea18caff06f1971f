"""Places and routes on one level of a picture: cells in rows, one row after the other in the direction of the tensors.

Coordinates are *along* the direction of the tensors and *across* it. Every tensor that passes a row without a cell has
a lane there, a place of its own among the cells. Cells and lanes that follow each other are aligned as far as possible,
longest ways first, so that the main way and long skips are straight.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from graphlib import TopologicalSorter
from itertools import pairwise
from statistics import median
from typing import Literal

from cifar_dsl.foundation.records import define, field, frozen

START, END = -1, -2  # in place of a cell: the edges of the level

_GAP = 16.0  # between cells of a row
_LANE_GAP = 11.0  # beside a lane
_TRACK = 9.0  # between lines across, between two rows
_BEND = 7.0  # between a cell and the first line across
_CLEAR = 6.0  # between a line and what it must not touch
_ROW_GAP = 22.0  # between rows, at least
_SWEEPS = 6

Point = tuple[float, float]  # along, across


@frozen
class Cell:
    """What a level places: it reaches from `-before` to `after` across, around its own place, and `length` along.

    `exits` and `entries` are, by net, the offsets across of the points where tensors leave and enter; 0 for others.
    `weight` is the number of boxes in it. `is_loose`: it needs no input and stands right before what uses it. `side`
    says which lines may bend at its own level: those that start in it, or those that end.
    """

    before: float
    after: float
    length: float
    weight: int = 1
    exits: dict[str, float] = field(factory=dict)
    entries: dict[str, float] = field(factory=dict)
    is_loose: bool = False
    side: Literal["", "start", "end"] = ""


@frozen
class Link:
    """A tensor from cell to cell, by their numbers. `net` names the tensor.

    Its label is `label_length` long along, and reaches from `-label_before` to `label_after` across.
    """

    net: str
    start: int
    end: int
    label_length: float = 0.0
    label_before: float = 0.0
    label_after: float = 0.0


@frozen
class Placed:
    """A level with its places.

    `cells` has of each cell its start along and its place across, `routes` and `labels` of each link its way and the
    place of its label. The level reaches from 0 to `length` along, and from `low` to `high` across.
    """

    cells: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    labels: tuple[Point, ...]
    length: float
    low: float
    high: float


@define(eq=False)
class _Node:
    """A cell or a lane in its row. `before` and `after` include labels beside it."""

    row: int
    before: float
    after: float
    cell: int | None = None
    weight: int = 0
    order: float = 0.0
    up: "list[_Segment]" = field(factory=list)
    down: "list[_Segment]" = field(factory=list)
    block: "_Block | None" = None
    offset: float = 0.0  # within its block
    label: float = 0.0  # length of the label after it
    through: float = 0.0  # where the first tensor enters

    @property
    def is_lane(self) -> bool:
        return self.cell is None

    @property
    def place(self) -> float:
        assert self.block is not None
        return self.block.place + self.offset


@define(eq=False)
class _Segment:
    """A part of links between two rows that follow each other."""

    start: _Node
    end: _Node
    start_offset: float
    end_offset: float
    net: str
    track: int = 0
    side: str = ""  # "start", "end": where the line across runs at the level of a cell instead of between rows

    @property
    def start_across(self) -> float:
        return self.start.place + self.start_offset

    @property
    def end_across(self) -> float:
        return self.end.place + self.end_offset

    @property
    def is_straight(self) -> bool:
        return abs(self.start_across - self.end_across) < 0.5


@define(eq=False)
class _Block:
    """Nodes that are aligned with each other."""

    nodes: list[_Node] = field(factory=list)
    place: float = 0.0


def place(cells: Sequence[Cell], links: Sequence[Link], *, begin: float, end: float) -> Placed:
    """Place a level. `begin` and `end` are the lengths along before the first and after the last row."""
    return _Level(cells, links).placed(begin, end)


@define(eq=False)
class _Level:
    cells: Sequence[Cell]
    links: Sequence[Link]
    _nodes: list[_Node] = field(factory=list)  # those of cells, in their order
    _rows: dict[int, list[_Node]] = field(factory=dict)
    _chains: list[list[_Segment]] = field(factory=list)  # by link

    def placed(self, begin: float, end: float) -> Placed:
        rows = self._ranks()
        last = max(rows, default=-1) + 1
        self._rows = {row: [] for row in range(-1, last + 1)}
        for number, (cell, row) in enumerate(zip(self.cells, rows, strict=True)):
            through = next(iter(cell.entries.values()), 0.0)
            node = _Node(row, cell.before, cell.after, number, cell.weight, order=float(number), through=through)
            self._nodes.append(node)
            self._rows[row].append(node)
        self._connect(last)
        _order(self._rows)
        _align(self._rows)
        return self._finished(last, begin, end)

    def _late(self) -> set[int]:
        """Links whose labels stand at their ends, since there are several for one tensor."""
        labels = Counter((link.net, link.start) for link in self.links if link.label_length)
        return {n for n, link in enumerate(self.links) if link.label_length and labels[link.net, link.start] > 1}

    def _ranks(self) -> list[int]:
        late = self._late()
        inputs: list[list[tuple[int, int]]] = [[] for _ in self.cells]
        users: list[list[tuple[int, int]]] = [[] for _ in self.cells]
        for number, link in enumerate(self.links):
            span = 2 if number in late else 1
            if link.start >= 0 and link.end >= 0:
                inputs[link.end].append((link.start, span))
                users[link.start].append((link.end, span))
            elif link.end >= 0:
                inputs[link.end].append((START, span))
        rows = [0] * len(self.cells)
        for number in range(len(self.cells)):  # they come in the order in which they are computed
            rows[number] = max((span + (rows[i] if i >= 0 else -1) for i, span in inputs[number]), default=0)
        for number in reversed(range(len(self.cells))):
            if self.cells[number].is_loose and not inputs[number] and users[number]:
                rows[number] = max(0, min(rows[user] - span for user, span in users[number]))
        return rows

    def _connect(self, last: int) -> None:
        late = self._late()
        edges: dict[tuple[str, int], _Node] = {}
        lanes: dict[tuple[str, int, int, int | None], _Node] = {}
        segments: dict[tuple[int, int, str], _Segment] = {}

        def edge(net: str, which: int) -> _Node:
            if (net, which) not in edges:
                node = _Node(-1 if which == START else last, 0.0, 0.0, order=float(len(edges)))
                self._rows[node.row].append(node)
                edges[net, which] = node
            return edges[net, which]

        for number, link in enumerate(self.links):
            start = edge(link.net, START) if link.start < 0 else self._nodes[link.start]
            end = edge(link.net, END) if link.end < 0 else self._nodes[link.end]
            chain = [start]
            for row in range(start.row + 1, end.row):
                lane = (link.net, link.start, row, number if number in late else None)
                if lane not in lanes:
                    lanes[lane] = _Node(row, 0.0, 0.0, order=float(len(self.cells) + len(lanes)))
                    self._rows[row].append(lanes[lane])
                chain.append(lanes[lane])
            chain.append(end)
            self._chains.append([])
            for a, b in pairwise(chain):
                key = (id(a), id(b), link.net)
                if key not in segments:
                    start_offset = 0.0 if a.cell is None else self.cells[a.cell].exits.get(link.net, 0.0)
                    end_offset = 0.0 if b.cell is None else self.cells[b.cell].entries.get(link.net, 0.0)
                    segment = segments[key] = _Segment(a, b, start_offset, end_offset, link.net)
                    a.down.append(segment)
                    b.up.append(segment)
                self._chains[-1].append(segments[key])
            if link.label_length:
                first = self._labelled(number)
                first.start.after = max(first.start.after, first.start_offset + link.label_after)
                first.start.before = max(first.start.before, link.label_before - first.start_offset)
                first.start.label = max(first.start.label, link.label_length)

    def _labelled(self, number: int) -> _Segment:
        """The segment of a link at whose start its label stands."""
        return self._chains[number][-1 if number in self._late() else 0]

    def _finished(self, last: int, begin: float, end: float) -> Placed:
        heights = {
            row: max((self.cells[n.cell].length for n in nodes if n.cell is not None), default=0.0)
            for row, nodes in self._rows.items()
        }
        for row in range(-1, last):
            self._bend_at_sides(row)
        starts, tracks = {-1: 0.0}, {}
        at = begin
        for row in range(-1, last):
            label = max((node.label for node in self._rows[row]), default=0.0)
            count = _assign_tracks([s for node in self._rows[row] for s in node.down if not s.side])
            tracks[row] = at + (label or (_BEND if count else 0.0))
            room = label + (count * _TRACK + _BEND if count else 0.0)
            is_edge = (row == -1 and not self._rows[-1]) or (row == last - 1 and not self._rows[last])
            if row == -1:
                at += 0.0 if not room else room + _BEND
            elif row == last - 1:
                at += room + (0.0 if is_edge else end)
            else:
                at += max(_ROW_GAP, room + (12.0 if count or label else 0.0))
            starts[row + 1] = at
            at += heights[row + 1]
        total = at if last >= 0 else begin + end
        if not self._rows[last]:
            total += end
        places = tuple(
            (starts[node.row] + (heights[node.row] - self.cells[i].length) / 2, node.place)
            for i, node in enumerate(self._nodes)
        )
        nodes = [node for row in self._rows.values() for node in row]
        low = min((node.place - node.before for node in nodes), default=0.0)
        high = max((node.place + node.after for node in nodes), default=0.0)
        routes = tuple(tuple(self._route(chain, places, tracks, total)) for chain in self._chains)
        labels = []
        for number in range(len(self.links)):
            segment = self._labelled(number)
            labels.append((self._leaves(segment.start, places, starts, heights), segment.start_across))
        return Placed(places, routes, tuple(labels), total, low, high)

    def _leaves(
        self, node: _Node, places: Sequence[Point], starts: dict[int, float], heights: dict[int, float]
    ) -> float:
        """Where a tensor leaves a node, along."""
        if node.cell is None:
            return starts[node.row] + heights[node.row]
        return places[node.cell][0] + self.cells[node.cell].length

    def _route(
        self, chain: Sequence[_Segment], places: Sequence[Point], tracks: dict[int, float], total: float
    ) -> Iterable[Point]:
        first, final = chain[0], chain[-1]
        if first.start.cell is None:
            yield 0.0, first.start_across
        elif first.side == "start":
            cell, (along, across) = self.cells[first.start.cell], places[first.start.cell]
            is_after = first.end_across > first.start_across
            yield along + cell.length / 2, across + (cell.after if is_after else -cell.before)
            yield along + cell.length / 2, first.end_across
        else:
            yield places[first.start.cell][0] + self.cells[first.start.cell].length, first.start_across
        for segment in chain:
            if not segment.side and not segment.is_straight:
                line = tracks[segment.start.row] + segment.track * _TRACK
                yield line, segment.start_across
                yield line, segment.end_across
        if final.end.cell is None:
            yield total, final.end_across
        elif final.side == "end":
            cell, (along, across) = self.cells[final.end.cell], places[final.end.cell]
            is_after = final.start_across > final.end_across
            yield along + cell.length / 2, final.start_across
            yield along + cell.length / 2, across + (cell.after if is_after else -cell.before)
        else:
            yield places[final.end.cell][0], final.end_across

    def _bend_at_sides(self, row: int) -> None:
        """Let lines leave and enter cells at their sides where nothing stands in the way."""
        for node in self._rows[row]:
            self._use_sides(node, "start", [(s, s.end_across) for s in node.down])
        for node in self._rows[row + 1]:
            self._use_sides(node, "end", [(s, s.start_across) for s in node.up])

    def _use_sides(self, node: _Node, side: str, lines: Sequence[tuple[_Segment, float]]) -> None:
        if node.cell is None or self.cells[node.cell].side != side or len(lines) < 2:
            return
        cell, row = self.cells[node.cell], self._rows[node.row]
        number = row.index(node)
        low = max((o.place + o.after for o in row[:number]), default=-math.inf)
        high = min((o.place - o.before for o in row[number + 1 :]), default=math.inf)
        for segment, across in lines:
            is_free = low + _CLEAR < across < high - _CLEAR
            is_beside = not -cell.before - _CLEAR < across - node.place < cell.after + _CLEAR
            if is_free and is_beside and not segment.side:
                segment.side = side


def _order(rows: dict[int, list[_Node]]) -> None:
    """Order the nodes of each row so that few lines cross."""
    ranked = sorted(rows)
    for row in ranked[1:]:
        _sort(rows[row], lambda node: node.up, lambda segment: segment.start, is_first=True)
    best, fewest = {row: list(rows[row]) for row in ranked}, _crossings(rows)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        for row in ranked[-2::-1] if sweep % 2 == 0 else ranked[1:]:
            if sweep % 2 == 0:
                _sort(rows[row], lambda node: node.down, lambda segment: segment.end)
            else:
                _sort(rows[row], lambda node: node.up, lambda segment: segment.start)
        found = _crossings(rows)
        if found < fewest:
            best, fewest = {row: list(rows[row]) for row in ranked}, found
    rows.update(best)


def _sort(
    nodes: list[_Node],
    lines: Callable[[_Node], Sequence[_Segment]],
    end: Callable[[_Segment], _Node],
    *,
    is_first: bool = False,
) -> None:
    places = {id(node): number for number, node in enumerate(nodes)}

    def key(node: _Node) -> tuple[float, ...]:
        others = [_position(segment, end(segment)) for segment in lines(node)]
        middle = sum(others) / len(others) if others else node.order
        return (middle, node.is_lane, node.order) if is_first else (middle, places[id(node)])

    nodes.sort(key=key)
    for number, node in enumerate(nodes):
        node.order = float(number)


def _position(segment: _Segment, node: _Node) -> float:
    """The place of a line's end in the order of a row; several ends at one cell follow their offsets."""
    offset = segment.start_offset if node is segment.start else segment.end_offset
    width = node.before + node.after
    return node.order + (0.5 * (offset + node.before) / width - 0.25 if width and offset else 0.0)


def _crossings(rows: dict[int, list[_Node]]) -> int:
    total = 0
    for row in sorted(rows)[:-1]:
        lines = sorted((_position(s, s.start), _position(s, s.end)) for node in rows[row] for s in node.down)
        ends = [end for _, end in lines]
        for number, end in enumerate(ends):
            total += sum(other < end for other in ends[number + 1 :])
    return total


def _align(rows: dict[int, list[_Node]]) -> None:
    """Place the nodes of each row: aligned nodes as one, the others as near to each other as their order permits."""
    for nodes in rows.values():
        for number, node in enumerate(nodes):
            node.order = float(number)
    above, below = _ways(rows, up=True), _ways(rows, up=False)
    segments = [s for row in sorted(rows) for node in rows[row] for s in node.down]
    ranked = sorted(
        segments,
        key=lambda s: (
            not (s.start.is_lane and s.end.is_lane),
            -(above[id(s.start)] + below[id(s.end)]),
            abs(s.start_offset - s.start.through) + abs(s.end_offset - s.end.through),
        ),
    )
    chosen: dict[int, list[_Segment]] = {}
    has_lower: set[int] = set()
    has_upper: set[int] = set()
    for segment in ranked:
        others = chosen.setdefault(segment.start.row, [])
        if id(segment.start) in has_lower or id(segment.end) in has_upper or any(_cross(segment, o) for o in others):
            continue
        others.append(segment)
        has_lower.add(id(segment.start))
        has_upper.add(id(segment.end))
    _make_blocks(rows, [s for row in sorted(chosen) for s in chosen[row]])
    _place_blocks(rows)


def _ways(rows: dict[int, list[_Node]], *, up: bool) -> dict[int, int]:
    """The number of boxes on the longest way to each node from one end, with its own."""
    longest: dict[int, int] = {}
    for row in sorted(rows) if up else sorted(rows, reverse=True):
        for node in rows[row]:
            others = [id(s.start) for s in node.up] if up else [id(s.end) for s in node.down]
            longest[id(node)] = node.weight + max((longest[other] for other in others), default=0)
    return longest


def _cross(one: _Segment, other: _Segment) -> bool:
    return (one.start.order - other.start.order) * (one.end.order - other.end.order) < 0


def _make_blocks(rows: dict[int, list[_Node]], aligned: Sequence[_Segment]) -> None:
    above = {id(segment.end): segment for segment in aligned}
    for row in sorted(rows):
        for node in rows[row]:
            segment = above.get(id(node))
            if segment is None:
                node.block = _Block([node])
            else:
                assert segment.start.block is not None
                node.block = segment.start.block
                node.offset = segment.start.offset + segment.start_offset - segment.end_offset
                node.block.nodes.append(node)


def _place_blocks(rows: dict[int, list[_Node]]) -> None:
    before: dict[int, list[tuple[_Node, _Node, float]]] = {}  # by block: neighbours at lower places, with the distance
    after: dict[int, list[tuple[_Node, _Node, float]]] = {}
    blocks: dict[int, _Block] = {}
    for nodes in rows.values():
        for node in nodes:
            blocks[id(node.block)] = node.block  # type: ignore[assignment]
        for a, b in pairwise(nodes):
            distance = a.after + b.before + (_LANE_GAP if a.is_lane or b.is_lane else _GAP)
            before.setdefault(id(b.block), []).append((a, b, distance))
            after.setdefault(id(a.block), []).append((a, b, distance))
    ordered = _in_order(blocks, before)
    for block in ordered:
        block.place = max((a.place + d - b.offset for a, b, d in before.get(id(block), ())), default=0.0)
    for sweep in range(_SWEEPS * 2):
        for block in reversed(ordered) if sweep % 2 == 0 else ordered:
            wanted = [
                *(
                    s.start_across - s.end_offset - n.offset
                    for n in block.nodes
                    for s in n.up
                    if s.start.block is not block
                ),
                *(
                    s.end_across - s.start_offset - n.offset
                    for n in block.nodes
                    for s in n.down
                    if s.end.block is not block
                ),
            ]
            if not wanted:
                continue
            low = max((a.place + d - b.offset for a, b, d in before.get(id(block), ())), default=-1e9)
            high = min((b.place - d - a.offset for a, b, d in after.get(id(block), ())), default=1e9)
            block.place = max(low, min(high, median(wanted)))


def _in_order(blocks: dict[int, _Block], before: dict[int, list[tuple[_Node, _Node, float]]]) -> list[_Block]:
    """The blocks, each after those at its lower side."""
    ahead = {key: [id(a.block) for a, _, _ in before.get(key, ())] for key in blocks}
    return [blocks[key] for key in TopologicalSorter(ahead).static_order()]


def _assign_tracks(segments: Sequence[_Segment]) -> int:
    """Give lines across between two rows their tracks, so that no two tensors overlap. Returns the number of tracks."""
    tracks: list[list[_Segment]] = []
    bent = [segment for segment in segments if not segment.is_straight]
    for segment in sorted(bent, key=lambda s: abs(s.start_across - s.end_across)):
        for number, others in enumerate(tracks):
            if all(_may_share(segment, other) for other in others):
                segment.track = number
                others.append(segment)
                break
        else:
            segment.track = len(tracks)
            tracks.append([segment])
    return len(tracks)


def _may_share(one: _Segment, other: _Segment) -> bool:
    if one.start is other.start and one.net == other.net:
        return True
    if one.end is other.end:
        return True
    low, high = sorted((one.start_across, one.end_across))
    other_low, other_high = sorted((other.start_across, other.end_across))
    return high + 4 < other_low or other_high + 4 < low
