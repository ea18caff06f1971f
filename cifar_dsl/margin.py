"""A spec's own text with a margin: on each line the shape that comes out of it, and what its stages cost."""

from collections.abc import Iterator

from attrs import define, field

from cifar_dsl.diagnostics.render import visible
from cifar_dsl.ir import Cost, Graph, Shape
from cifar_dsl.layers import JOINS
from cifar_dsl.outline import Part, outline
from cifar_dsl.semantics import Analysis
from cifar_dsl.source import Source, Span
from cifar_dsl.syntax import parse_spec
from cifar_dsl.text import columns

_HEAD = ("output", "parameters", "macs")


@define
class _Line:
    """What becomes of a line each time that it is run through.

    `nodes` are those that stem from it, as indices into the graph's. `shapes` are those behind the line, in the order
    in which they are made; `_end` is where the stage that was taken last ends.
    """

    nodes: set[int] = field(factory=set)
    shapes: list[Shape] = field(factory=list)
    _end: int = 0

    def pass_stage(self, end: int, shape: Shape) -> None:
        """Take note of a stage of this line that ends at the offset `end`."""
        if self.shapes and end > self._end:
            self.shapes.pop()  # the line goes on
        self.shapes.append(shape)
        self._end = end

    def cells(self, graph: Graph) -> tuple[str, str, str]:
        """Shape, parameters and multiply-accumulates, as text."""
        cost = sum((graph.nodes[index].cost for index in self.nodes), Cost())
        return _shapes(self.shapes), _count(cost.parameters), _count(cost.macs)


def margin(analysis: Analysis) -> list[str]:
    """The lines of the spec itself, and of those bases that stages stem from, nearest first."""
    graph = analysis.graph
    files = _lines(analysis)
    rows: list[tuple[str, str, str, str]] = []
    heads: list[tuple[int, Source]] = []
    for source in _nearest_first(analysis, files):
        heads.append((len(rows), source))
        rows.append((*_HEAD, visible(source.name)))
        for number, text in enumerate(source.text.rstrip("\n").split("\n"), start=1):
            line = files[source].get(number, _Line())
            rows.append((*line.cells(graph), visible(text.rstrip("\r").replace("\t", "    "))))
    output, total = str(graph.shape_of(graph.output)), graph.cost
    rows.append((output, f"{total.parameters:,}", f"{total.macs:,}", "total"))
    figures = columns([row[:3] for row in rows], right=frozenset({1, 2}))
    width = max(map(len, figures))
    lines = [f"{cells:{width}} | {row[3]}".rstrip() for cells, row in zip(figures, rows, strict=True)]
    rule = "-" * (width + 1) + "+" + "-" * 20
    lines.insert(len(lines) - 1, rule)
    for at, _ in reversed(heads):
        lines[at : at + 1] = [*([""] if at else []), lines[at], rule]
    return [f"{analysis.program.name}  {analysis.fingerprint}", "", *lines]


def _nearest_first(analysis: Analysis, files: dict[Source, dict[int, _Line]]) -> list[Source]:
    lineage = analysis.program.lineage

    def distance(source: Source) -> int:
        return 0 if source is analysis.source else lineage.index(parse_spec(source).header.name.text)

    return sorted(files, key=distance)


def _lines(analysis: Analysis) -> dict[Source, dict[int, _Line]]:
    """The lines that stages stem from, by their numbers, of the spec and all other files but the library's."""
    graph = analysis.graph
    files: dict[Source, dict[int, _Line]] = {analysis.source: {}}

    def line(source: Source, number: int) -> _Line:
        return files.setdefault(source, {}).setdefault(number, _Line())

    for span, nodes, shape, is_join in _stages(graph):
        if span.source.is_library:
            continue
        number = span.source.position(span.end - 1)[0] if is_join else span.line  # branches are joined at their end
        here = line(span.source, number)
        here.nodes.update(nodes)
        here.pass_stage(span.end, shape)
    size = analysis.program.input
    if size.span.source in files:
        line(size.span.source, size.span.line).pass_stage(size.span.end, graph.input)
    return files


def _stages(graph: Graph) -> Iterator[tuple[Span, list[int], Shape, bool]]:
    """Layers, joins and block calls as they end: where each is said, its nodes, its output, whether it is a join."""
    parts = {part.path: part for part in _parts(outline(graph))}
    ending: dict[int, list[tuple[Span, list[int], Shape]]] = {}
    for scope in graph.scopes:
        if scope.span is not None and scope.path in parts:
            nodes = parts[scope.path].nodes()
            ending.setdefault(max(nodes), []).append((scope.span, nodes, graph.shape_of(scope.output)))
    for index, node in enumerate(graph.nodes):
        assert node.span is not None
        yield node.span, [index], node.shape, node.call.name in JOINS
        for span, nodes, shape in ending.get(index, ()):
            yield span, nodes, shape, False


def _parts(root: Part) -> Iterator[Part]:
    waiting = [root]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(part.parts.values())


def _shapes(shapes: list[Shape]) -> str:
    """One shape, or the first and the last of several."""
    different = list(dict.fromkeys(map(str, shapes)))
    if len(different) < 2:
        return "".join(different)
    first, last = str(shapes[0]), str(shapes[-1])
    return f"{len(different)} shapes" if first == last else f"{first} ... {last}"


def _count(number: int) -> str:
    return f"{number:,}" if number else ""
