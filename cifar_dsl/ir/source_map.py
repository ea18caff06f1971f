"""Maps each source span to the nodes it expands to (several, in loops and calls)."""

from collections.abc import Iterable, Iterator

from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.ir.graph import Graph, Scope
from cifar_dsl.ir.shape import Shape
from cifar_dsl.language.source import Span


@frozen
class Visit:
    """One expansion of a layer, a join, a scope such as `each`, or a call of a block.

    Attributes:
        path: The path of the node or scope that it expands to.
        inputs: The shapes of its inputs.
        outputs: The shape of its output, or those of the tensors of a list.
        values: The values that it makes; those of a join or scope include the values of its bodies.
        has_bodies: Whether it is a join or a scope.
        block: The name of the called block; empty for all others.
    """

    path: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    values: range
    has_bodies: bool = False
    block: str = ""


@define
class Line:
    """A line of the text.

    Attributes:
        values: The values that its stages make.
        shapes: The shape at its end, or those of a list, once for each time that the line is expanded.
        end: The end of its last stage in the text.
    """

    values: set[int] = field(factory=set)
    shapes: list[tuple[Shape, ...]] = field(factory=list)
    end: int = 0
    _last_end: int = 0

    def add_shapes(self, span: Span, *shapes: Shape) -> None:
        """Record the shape after a stage of this line, or those of a list."""
        if self.shapes and span.end > self._last_end:
            self.shapes.pop()  # the same expansion continues
        self.shapes.append(shapes)
        self._last_end = span.end
        self.end = max(self.end, span.end)

    def add(self, span: Span, visit: Visit) -> None:
        """Record an expansion of a stage of this line."""
        self.add_shapes(span, *visit.outputs)
        if not visit.has_bodies:  # their values belong to their own lines
            self.values.update(visit.values)


def visits(graph: Graph) -> Iterator[tuple[Span, Visit]]:
    """Every expansion of a layer, join or call of a block, with its source span, in the order of their ends."""
    return _visits(graph, graph.body)


def _visits(graph: Graph, scope: Scope) -> Iterator[tuple[Span, Visit]]:
    for stage in scope.computing:
        if isinstance(stage, Scope):
            yield from _visits(graph, stage)
            if stage.span is not None:
                has_bodies = stage.kind == "scope"
                block = stage.label.partition("(")[0] if stage.kind == "block" else ""
                inputs = tuple(map(graph.shape_of, stage.inputs))
                outputs = tuple(map(graph.shape_of, stage.outputs))
                yield stage.span, Visit(stage.path, inputs, outputs, stage.values, has_bodies, block)
        else:
            assert stage.span is not None
            is_join = stage.operation.is_join
            values = scope.values if is_join else stage.values
            yield stage.span, Visit(stage.path, graph.input_shapes(stage), (stage.shape,), values, is_join)


def shapes_text(shapes: Iterable[tuple[Shape, ...]]) -> str:
    """A text for the shapes of a line: the only one, or the first and the last; those of a list with commas."""
    texts = [", ".join(map(str, of_list)) for of_list in shapes]
    different = len(set(texts))
    if different < 2:
        return "".join(texts[:1])
    return f"{different} shapes" if texts[0] == texts[-1] else f"{texts[0]} ... {texts[-1]}"
