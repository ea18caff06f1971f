"""What comes out of the places of a text: each may be passed many times, in loops and in calls of its block."""

from collections.abc import Iterable, Iterator

from attrs import define, field, frozen

from cifar_dsl.ir import Graph, Shape
from cifar_dsl.ir.outline import Part, outline
from cifar_dsl.language.source import Span


@frozen
class Visit:
    """One time that a layer, a join or a call of a block is passed.

    `nodes` are those that stem from it, as indices into the graph's: of a join those of its branches too. `block` is
    the name of the block that is called.
    """

    path: str
    inputs: tuple[Shape, ...]
    output: Shape
    nodes: tuple[int, ...]
    is_join: bool = False
    block: str = ""


@define
class Line:
    """A line of the text. `nodes` stem from it; `shapes` are those behind it, each time; `end` is its last stage's."""

    nodes: set[int] = field(factory=set)
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
            self.nodes.update(visit.nodes)


def visits(graph: Graph) -> Iterator[tuple[Span, Visit]]:
    """The layers, joins and calls of blocks in the order in which they end, and where each is said."""
    parts = {part.path: part for part in _parts(outline(graph))}
    ending: dict[int, list[tuple[Span, Visit]]] = {}
    for scope in graph.scopes:
        if scope.span is not None and scope.path in parts:
            part = parts[scope.path]
            nodes = tuple(part.nodes())
            inputs = tuple(graph.shape_of(value) for value in part.inputs(graph, scope.output))
            block = scope.label.partition("(")[0]
            visit = Visit(scope.path, inputs, graph.shape_of(scope.output), nodes, block=block)
            ending.setdefault(max(nodes), []).append((scope.span, visit))
    for index, node in enumerate(graph.nodes):
        inputs = tuple(graph.shape_of(value) for value in node.inputs)
        is_join = node.operation.is_join
        nodes = tuple(parts[node.path].nodes()) if is_join else (index,)
        assert node.span is not None
        yield node.span, Visit(node.path, inputs, node.shape, nodes, is_join)
        yield from ending.get(index, ())


def _parts(root: Part) -> Iterator[Part]:
    waiting = [root]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(part.parts.values())


def shapes_text(shapes: Iterable[Shape]) -> str:
    """One shape, or the first and the last of several."""
    texts = list(map(str, shapes))
    different = len(set(texts))
    if different < 2:
        return "".join(texts[:1])
    return f"{different} shapes" if texts[0] == texts[-1] else f"{texts[0]} ... {texts[-1]}"
