"""The outline of a graph as a picture shows it: layers, joins and blocks; branches and named tensors melt away."""

from collections.abc import Hashable

from attrs import define, field, frozen

from cifar_dsl.ir import Graph
from cifar_dsl.ir.outline import Part, outline


@frozen(eq=False)
class Stage:
    """A layer or join, or a block with its stages; `count` times one behind the other.

    It holds the nodes from `start` to `stop` (exclusive) of the graph, of which the first of the repeats has `length`.
    Stages of one `key` compute the same but for where their inputs come from. `title` is empty for layers that repeat
    without being a block.
    """

    path: str
    title: str
    key: int
    start: int
    stop: int
    stages: "tuple[Stage, ...]" = ()
    is_block: bool = False
    count: int = 1

    @property
    def length(self) -> int:
        """How many nodes one of the repeats has."""
        return (self.stop - self.start) // self.count


@define
class Reader:
    """Makes stages of a graph."""

    graph: Graph
    _numbers: dict[Hashable, int] = field(factory=dict)

    def read(self) -> list[Stage]:
        """The stages of the model."""
        return self._stages(outline(self.graph))

    def number(self, meaning: Hashable) -> int:
        """A number that stands for this meaning and no other."""
        return self._numbers.setdefault(meaning, len(self._numbers))

    def _stages(self, part: Part) -> list[Stage]:
        found: list[Stage] = []
        for inner in part.parts.values():
            if inner.scope is not None and inner.scope.kind in {"block", "part"}:
                found.append(self._block(inner, inner.scope.label))
                continue
            found += self._stages(inner)
            if inner.node is not None:
                found.append(self._layer(inner.path, inner.node))
        return found

    def _block(self, part: Part, label: str) -> Stage:
        stages = self._stages(part)
        name = label.partition("(")[0]
        key = self.number((name, *(stage.key for stage in stages)))
        return Stage(part.path, label, key, stages[0].start, stages[-1].stop, tuple(stages), is_block=True)

    def _layer(self, path: str, index: int) -> Stage:
        node = self.graph.nodes[index]
        return Stage(path, node.operation.brief(), self.number((node.operation, node.shape)), index, index + 1)
