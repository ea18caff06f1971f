"""Graph -> picture: blocks are opened down to a depth, and every tensor becomes an arrow."""

from collections.abc import Sequence

from attrs import define, evolve, field

from cifar_dsl.ir import Graph
from cifar_dsl.views.pictures.families import FORK
from cifar_dsl.views.pictures.folding import folded
from cifar_dsl.views.pictures.model import INPUT, OUTPUT, Arrow, Box, Frame, Item, Picture
from cifar_dsl.views.pictures.stages import Reader, Stage

_MOST_BOXES = 40  # that a picture has where no depth is asked for


def draw(graph: Graph, name: str, depth: int | None = None) -> Picture:
    """The picture of a network, in which calls deeper than `depth` in each other are one box each.

    Without a `depth`: as deep as the picture stays readable, and at least the model itself.
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
    """How deep blocks stand in each other."""
    return max((_depth(stage.stages) + stage.is_block for stage in stages if stage.stages), default=0)


@define
class _Pen:
    """Draws stages. `_sources` holds, of each value that is not its own, the value that it is drawn as."""

    graph: Graph
    depth: int
    _makers: dict[int, str] = field(factory=dict)  # of each value, the box that it comes from
    _same: dict[int, int] = field(factory=dict)
    _said: set[int] = field(factory=set)  # values whose shape stands at an arrow
    _arrows: list[tuple[int, Arrow]] = field(factory=list)  # with the value that each stands for

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
        """What a stage is drawn as; None where its output is its input."""
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
        """Points at which tensors fork that several boxes of a frame take, so that each comes into it once.

        `start` is the first value that the frame makes, and `before` how many arrows there were before its own.
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
            label = "".join(self._arrows[at][1].label for at in places)  # of which one has it
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
        """A box, with the arrows that lead to it."""
        made = range(stage.start, stage.start + stage.length)
        inputs = [value for node in self.graph.makers(made) for value in node.inputs if value < stage.start]
        # The branches of a join may be one tensor; what a block takes several times comes to it once.
        for value in inputs if not stage.stages else dict.fromkeys(inputs):
            self._arrow(value, box.key, is_silent=self._says_shape(stage, value))
        for value in made:
            self._makers[value] = box.key
        return box

    def _says_shape(self, stage: Stage, value: int) -> bool:
        """Whether the shape of a value stands behind the box anyway: of branches that are joined number by number."""
        node = self.graph.maker(stage.start)
        assert node is not None
        return not stage.stages and node.operation.is_join and node.shape == self.graph.shape_of(value)

    def _arrow(self, value: int, end: str, *, is_silent: bool = False) -> None:
        """An arrow to a box; `is_silent` leaves out the shape."""
        drawn = self._drawn(value)
        label = ""
        if not is_silent and drawn not in self._said and (end == OUTPUT or self._is_news(drawn)):
            label = str(self.graph.shape_of(drawn))
            self._said.add(drawn)
        self._arrows.append((drawn, Arrow(self._makers[drawn], end, label)))

    def _is_news(self, value: int) -> bool:
        """Whether the shape of a value can't be known from the arrow before: all but layers that leave it."""
        node = self.graph.maker(value)
        if node is None:
            return True
        is_layer = node.path == self._makers[value] and not node.operation.is_join
        return not is_layer or self.graph.shape_of(node.inputs[0]) != node.shape

    def _drawn(self, value: int) -> int:
        """The value that stands for this one: the same, of the first of its repeats, before identities."""
        while value in self._same:
            value = self._same[value]
        return value
