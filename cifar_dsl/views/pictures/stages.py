"""The stages of a graph in a picture: layers, joins and blocks, without branches and named tensors."""

from collections.abc import Hashable

from attrs import define, field

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Graph, Node, Scope


@frozen(eq=False)
class Stage:
    """A layer, a join or a block with its stages, repeated `count` times.

    It makes the values from `start` to `stop`, exclusive; each repeat makes `length` of them. Stages with equal `key`
    compute the same, except for the source of their inputs. `title` is empty for a repeated row that isn't a block.
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
        """The number of nodes in one repeat."""
        return (self.stop - self.start) // self.count


@define
class Reader:
    """Makes stages of a graph."""

    graph: Graph
    _numbers: dict[Hashable, int] = field(factory=dict)

    def read(self) -> list[Stage]:
        """The stages of the model."""
        return self._stages(self.graph.body)

    def number(self, meaning: Hashable) -> int:
        """A number that is unique to this meaning."""
        return self._numbers.setdefault(meaning, len(self._numbers))

    def _stages(self, scope: Scope) -> list[Stage]:
        found: list[Stage] = []
        for inner in scope.computing:
            if isinstance(inner, Node):
                key = self.number((inner.operation, inner.shape))
                found.append(Stage(inner.path, inner.operation.brief(), key, inner.output, inner.output + 1))
            elif inner.kind in {"block", "part"}:
                found.append(self._block(inner))
            else:
                found += self._stages(inner)
        return found

    def _block(self, scope: Scope) -> Stage:
        stages = tuple(self._stages(scope))
        key = self.number((scope.label.partition("(")[0], *(stage.key for stage in stages)))
        values = scope.values
        return Stage(scope.path, scope.label, key, values.start, values.stop, stages, is_block=True)
