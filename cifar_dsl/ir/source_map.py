"""What comes out of the places of a text: each may be passed many times, in loops and in calls of its block."""

from collections.abc import Iterable, Iterator

from attrs import define, field

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir.graph import Graph, Scope
from cifar_dsl.ir.shape import Shape
from cifar_dsl.language.source import Span


@frozen
class Visit:
    """One time that a layer, a join or a call of a block is passed.

    `values` are those that it makes: of a join those of its branches too. `block` is the name of the block that is
    called.
    """

    path: str
    inputs: tuple[Shape, ...]
    output: Shape
    values: range
    is_join: bool = False
    block: str = ""


@define
class Line:
    """A line of the text, which makes `values`; `shapes` are those behind it, each time; `end` is its last stage's."""

    values: set[int] = field(factory=set)
    shapes: list[Shape] = field(factory=list)
    end: int = 0
    _last: int = 0

    def pass_shape(self, span: Span, shape: Shape) -> None:
        """Take note of what is behind a place in this line."""
        if self.shapes and span.end > self._last:
            self.shapes.pop()  # the line goes on
        self.shapes.append(shape)
        self._last = span.end
        self.end = max(self.end, span.end)

    def take(self, span: Span, visit: Visit) -> None:
        """Take note of a stage of this line."""
        self.pass_shape(span, visit.output)
        if not visit.is_join:  # what its branches cost is said where they stand
            self.values.update(visit.values)


def visits(graph: Graph) -> Iterator[tuple[Span, Visit]]:
    """The layers, joins and calls of blocks in the order in which they end, and where each is said."""
    return _visits(graph, graph.body)


def _visits(graph: Graph, scope: Scope) -> Iterator[tuple[Span, Visit]]:
    for stage in scope.computing:
        if isinstance(stage, Scope):
            yield from _visits(graph, stage)
            if stage.span is not None:
                block = stage.label.partition("(")[0]
                inputs = tuple(map(graph.shape_of, stage.inputs))
                yield stage.span, Visit(stage.path, inputs, graph.shape_of(stage.output), stage.values, block=block)
        else:
            assert stage.span is not None
            is_join = stage.operation.is_join
            values = scope.values if is_join else stage.values
            yield stage.span, Visit(stage.path, graph.input_shapes(stage), stage.shape, values, is_join)


def shapes_text(shapes: Iterable[Shape]) -> str:
    """One shape, or the first and the last of several."""
    texts = list(map(str, shapes))
    different = len(set(texts))
    if different < 2:
        return "".join(texts[:1])
    return f"{different} shapes" if texts[0] == texts[-1] else f"{texts[0]} ... {texts[-1]}"
