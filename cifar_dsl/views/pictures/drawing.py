"""Graph -> picture: blocks are expanded down to a depth, and every tensor becomes an arrow."""

from collections.abc import Sequence

from cifar_dsl.foundation.records import define, evolve, field
from cifar_dsl.ir import Graph, Shape, trained_outputs
from cifar_dsl.operations.layers import Join
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
    _labelled: set[tuple[int, Shape]] = field(factory=set)  # values whose shape is shown at an arrow
    _left: set[int] = field(factory=set)  # the outputs of scopes
    _closed: set[str] = field(factory=set)  # the boxes of several branches
    _arrows: list[tuple[int, Arrow]] = field(factory=list)  # with the value of each

    def picture(self, name: str, stages: Sequence[Stage]) -> Picture:
        self._makers[0] = INPUT
        items = self._items(stages, 0)
        exits = self._exits()
        self._arrow(self.graph.output, OUTPUT)
        cost = self.graph.cost
        notes = (f"{cost.parameters:,} parameters, {cost.macs:,} multiply-accumulates",)
        ends = (Box(INPUT, "terminal", "input"), Box(OUTPUT, "terminal", "output"))
        return Picture(name, notes, (ends[0], *items, *exits, ends[1]), tuple(arrow for _, arrow in self._arrows))

    def _exits(self) -> list[Box]:
        """The ends of the exits, each with an arrow that has its weight; those of repeats are drawn once."""
        boxes: dict[int, Box] = {}
        for one in trained_outputs(self.graph)[1:]:
            value = self._drawn(one.value)
            if value not in boxes:
                boxes[value] = Box(f"@exit {len(boxes) + 1}", "terminal", f"exit {one.name}")
                self._arrows.append((value, Arrow(self._makers[value], boxes[value].key, f"weight {one.weight:g}")))
        return [*boxes.values()]

    def _items(self, stages: Sequence[Stage], level: int) -> tuple[Item, ...]:
        return tuple(item for stage in stages if (item := self._item(stage, level)) is not None)

    def _item(self, stage: Stage, level: int) -> Item | None:
        """The box or frame of a stage; None if its output is its input."""
        nodes = self.graph.makers(range(stage.start, stage.stop))
        if all(node.operation.name == "identity" or node.operation.exit_weight is not None for node in nodes):
            for node in nodes:
                self._same[node.output] = node.inputs[0]
            return None
        for value in range(stage.start + stage.length, stage.stop):
            self._same[value] = value - stage.length
        title = self._title(stage)
        if stage.is_closed:
            return self._box(stage, Box(stage.path, "block", title, self._notes(stage)))
        if not stage.stages:
            family = nodes[0].operation.family
            return self._box(stage, Box(stage.path, family, title, self._notes(stage)))
        if stage.is_block and level >= self.depth:
            return self._box(stage, Box(stage.path, "block", title, self._notes(stage)))
        before = len(self._arrows)
        if stage.is_scope:
            self._pass(stage.stages[0])
            items = self._items(stage.stages[1:-1], level)
            self._pass(stage.stages[-1])
            self._left.add(stage.stages[-1].start)
        else:
            items = self._items(stage.stages, level + stage.is_block)
        key = stage.path if stage.is_block or stage.is_scope else f"{stage.path} x{stage.count}"
        forks = self._forks(key, stage.start, before)
        return Frame(key, title, self._notes(stage), (*forks, *items))

    def _pass(self, stage: Stage) -> None:
        """Draw a layer that only cuts parts or puts them back as the tensor that it gets."""
        node = self.graph.maker(stage.start)
        assert node is not None
        self._same[node.output] = node.inputs[0]

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
        tied = ("tied",) if stage.is_tied else ()
        return tuple(filter(None, (", ".join([*tied, *self._parts(stage), *self._parameters(stage)]),)))

    def _parts(self, stage: Stage) -> tuple[str, ...]:
        """The number of parts that a scope runs for in each image or part around it."""
        first = self.graph.maker(stage.start)
        if not stage.is_scope or first is None:
            return ()
        parts = first.parts // self.graph.parts_of(first.inputs[0])
        return (f"{parts:,} parts of {first.shape}",) if parts > 1 else ()

    def _parameters(self, stage: Stage) -> tuple[str, ...]:
        first = self.graph.cost_of(range(stage.start, stage.start + stage.length)).parameters
        whole = self.graph.cost_of(range(stage.start, stage.stop)).parameters if stage.count > 1 else first
        if not whole:
            return ()
        if whole != stage.count * first:  # some of them have tied weights
            return (f"{whole:,} parameters in all",)
        return (f"{first:,} parameters{' each' if stage.count > 1 else ''}",)

    def _box(self, stage: Stage, box: Box) -> Box:
        """Return `box` and draw the arrows that lead to it."""
        made = range(stage.start, stage.start + stage.length)
        inputs = [value for node in self.graph.makers(made) for value in node.used_inputs if value < stage.start]
        # A join may use one tensor in several branches; a block that uses a tensor several times gets one arrow.
        names = self._names(stage)
        closed: set[str] = set()  # boxes of several branches, which have one arrow
        for i, value in enumerate(inputs if not stage.stages else dict.fromkeys(inputs)):
            start = self._makers[self._drawn(value)]
            if start in self._closed and start in closed:
                continue
            closed.add(start)
            name = names[i] if i < len(names) else ""
            is_silent = start in self._closed or self._shows_shape(stage, value)
            self._arrow(value, box.key, is_silent=is_silent, name=name)
        for value in made:
            self._makers[value] = box.key
        if stage.is_closed:
            self._closed.add(box.key)
        return box

    def _names(self, stage: Stage) -> list[str]:
        """The short names of the branches of a join that gives them names: q, k and v."""
        node = self.graph.maker(stage.start)
        if stage.stages or node is None or not isinstance(node.operation, Join):
            return []
        return [name[0] for name in node.operation.branches.names]

    def _shows_shape(self, stage: Stage, value: int) -> bool:
        """Whether the output of the box shows the shape of its input: for elementwise joins."""
        node = self.graph.maker(stage.start)
        assert node is not None
        return not stage.stages and node.operation.is_join and node.shape == self.graph.shape_of(value)

    def _arrow(self, value: int, end: str, *, is_silent: bool = False, name: str = "") -> None:
        """An arrow to a box; `is_silent` leaves out the shape. `name` is that of a branch."""
        drawn = self._drawn(value)
        shape = self._shape(value)
        is_news = end == OUTPUT or shape != self.graph.shape_of(drawn) or self._is_news(drawn)
        label = ""
        if not is_silent and (drawn, shape) not in self._labelled and is_news:
            label = str(shape)
            self._labelled.add((drawn, shape))
        label = f"{name}  {label}".strip()
        self._arrows.append((drawn, Arrow(self._makers[drawn], end, label)))

    def _shape(self, value: int) -> Shape:
        """The shape at the arrow of a value: after a scope, that of the whole, and at its beginning that before it."""
        while value in self._same and value not in self._left:
            value = self._same[value]
        return self.graph.shape_of(value)

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
