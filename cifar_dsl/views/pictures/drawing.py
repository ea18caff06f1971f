"""Graph -> picture: blocks are expanded down to a depth, and every tensor becomes an arrow."""

from collections.abc import Sequence

from attrs import define, evolve, field

from cifar_dsl.ir import Graph
from cifar_dsl.views.pictures.families import FORK
from cifar_dsl.views.pictures.folding import folded
from cifar_dsl.views.pictures.model import INPUT, OUTPUT, Arrow, Box, Frame, Item, Picture
from cifar_dsl.views.pictures.stages import Reader, Stage

_MOST_BOXES = 40  # in a picture without a given depth


def draw(graph: Graph, name: str, depth: int | None = None) -> Picture:
    """The picture of a network. Calls nested deeper than `depth` are drawn as one box each.

    Without a `depth`, blocks are expanded as deep as the picture stays readable.
    """
    reader = Reader(graph)
    stages = folded(reader, reader.read())
    if depth is not None:
        return _Pen(graph, depth).picture(name, stages)
    picture = _Pen(graph, 0).picture(name, stages)
    for deeper in range(1, _depth(stages) + 1):
        other = _Pen(graph, deeper).picture(name, stages)
        if sum(box.family != FORK for box in other.boxes()) > _MOST_BOXES:
            break
        picture = other
    return picture


def _depth(stages: Sequence[Stage]) -> int:
    """The nesting depth of blocks."""
    return max((_depth(stage.stages) + stage.is_block for stage in stages if stage.stages), default=0)


@define
class _Pen:
    """Draws stages. `_sources` holds, of each value that is not its own, the value that it is drawn as."""

    graph: Graph
    depth: int
    _makers: dict[int, str] = field(factory=dict)  # by value: the box that it comes from
    _same: dict[int, int] = field(factory=dict)
    _labelled: set[int] = field(factory=set)  # values whose shape is shown at an arrow
    _arrows: list[tuple[int, Arrow]] = field(factory=list)  # with the value of each

    def picture(self, name: str, stages: Sequence[Stage]) -> Picture:
        self._makers[0] = INPUT
        items = self._items(stages, 0)
        self._arrow(self.graph.output, OUTPUT)
        cost = self.graph.cost
        notes = (f"{cost.parameters:,} parameters, {cost.macs:,} multiply-accumulates",)
        ends = (Box(INPUT, "terminal", "input"), Box(OUTPUT, "terminal", "output"))
        return Picture(name, notes, (ends[0], *items, ends[1]), tuple(arrow for _, arrow in self._arrows))

    def _items(self, stages: Sequence[Stage], level: int) -> tuple[Item, ...]:
        return tuple(item for stage in stages if (item := self._item(stage, level)) is not None)

    def _item(self, stage: Stage, level: int) -> Item | None:
        """The box or frame of a stage; None if its output is its input."""
        nodes = self.graph.makers(range(stage.start, stage.stop))
        if all(node.operation.name == "identity" for node in nodes):
            for node in nodes:
                self._same[node.output] = self._drawn(node.inputs[0])
            return None
        for value in range(stage.start + stage.length, stage.stop):
            self._same[value] = value - stage.length
        title = self._title(stage)
        if not stage.stages:
            family = nodes[0].operation.family
            return self._box(stage, Box(stage.path, family, title, self._notes(stage)))
        if stage.is_block and level >= self.depth:
            return self._box(stage, Box(stage.path, "block", title, self._notes(stage)))
        before = len(self._arrows)
        items = self._items(stage.stages, level + stage.is_block)
        key = stage.path if stage.is_block else f"{stage.path} x{stage.count}"
        forks = self._forks(key, stage.start, before)
        return Frame(key, title, self._notes(stage), (*forks, *items))

    def _forks(self, key: str, start: int, before: int) -> list[Box]:
        """Fork points for tensors that several boxes of a frame use, so that each tensor enters the frame once.

        `start` is the first value that the frame makes, `before` the number of arrows before its own.
        """
        entering: dict[int, list[int]] = {}
        for at in range(before, len(self._arrows)):
            value, arrow = self._arrows[at]
            if value < start and arrow.start == self._makers[value]:
                entering.setdefault(value, []).append(at)
        forks: list[Box] = []
        for value, places in entering.items():
            if len(places) < 2:
                continue
            fork = Box(f"@{key} {len(forks) + 1}", FORK, "")
            forks.append(fork)
            label = "".join(self._arrows[at][1].label for at in places)  # only one of them has a label
            for at in places:
                self._arrows[at] = (value, evolve(self._arrows[at][1], start=fork.key, label=""))
            self._arrows.append((value, Arrow(self._makers[value], fork.key, label)))
        return forks

    def _title(self, stage: Stage) -> str:
        title = stage.title.removesuffix("()")
        if stage.count == 1:
            return title
        return f"{title}  x{stage.count}" if title else f"x{stage.count}"

    def _notes(self, stage: Stage) -> tuple[str, ...]:
        parameters = self.graph.cost_of(range(stage.start, stage.start + stage.length)).parameters
        if not parameters:
            return ()
        return (f"{parameters:,} parameters{' each' if stage.count > 1 else ''}",)

    def _box(self, stage: Stage, box: Box) -> Box:
        """Return `box` and draw the arrows that lead to it."""
        made = range(stage.start, stage.start + stage.length)
        inputs = [value for node in self.graph.makers(made) for value in node.used_inputs if value < stage.start]
        # A join may use one tensor in several branches; a block that uses a tensor several times gets one arrow.
        for value in inputs if not stage.stages else dict.fromkeys(inputs):
            self._arrow(value, box.key, is_silent=self._shows_shape(stage, value))
        for value in made:
            self._makers[value] = box.key
        return box

    def _shows_shape(self, stage: Stage, value: int) -> bool:
        """Whether the output of the box shows the shape of its input: for elementwise joins."""
        node = self.graph.maker(stage.start)
        assert node is not None
        return not stage.stages and node.operation.is_join and node.shape == self.graph.shape_of(value)

    def _arrow(self, value: int, end: str, *, is_silent: bool = False) -> None:
        """An arrow to a box; `is_silent` leaves out the shape."""
        drawn = self._drawn(value)
        label = ""
        if not is_silent and drawn not in self._labelled and (end == OUTPUT or self._is_news(drawn)):
            label = str(self.graph.shape_of(drawn))
            self._labelled.add(drawn)
        self._arrows.append((drawn, Arrow(self._makers[drawn], end, label)))

    def _is_news(self, value: int) -> bool:
        """Whether the shape of a value doesn't follow from the arrow before: it does for layers that keep the shape."""
        node = self.graph.maker(value)
        if node is None:
            return True
        is_layer = node.path == self._makers[value] and not node.operation.is_join
        return not is_layer or not node.used_inputs or self.graph.shape_of(node.inputs[0]) != node.shape

    def _drawn(self, value: int) -> int:
        """The value that is drawn in place of this one: in the first of several repeats, and before identities."""
        while value in self._same:
            value = self._same[value]
        return value
