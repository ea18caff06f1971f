"""The text of a spec with a margin that shows the output shape and the cost of each line."""

from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.text import columns
from cifar_dsl.ir import Graph
from cifar_dsl.ir.source_map import Line, shapes_text, visits
from cifar_dsl.language.diagnostics.render import visible
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import parse_spec

_HEAD = ("output", "parameters", "macs")


def margin(analysis: Analysis) -> list[str]:
    """The annotated lines of the spec and of the bases that contribute stages, nearest first."""
    graph = analysis.graph
    files = _lines(analysis)
    rows: list[tuple[str, str, str, str]] = []
    heads: list[tuple[int, Source]] = []
    for source in _nearest_first(analysis, files):
        heads.append((len(rows), source))
        rows.append((*_HEAD, visible(source.name)))
        for number, text in enumerate(source.text.rstrip("\n").split("\n"), start=1):
            line = files[source].get(number, Line())
            rows.append((*_cells(graph, line), visible(text.rstrip("\r").replace("\t", "    "))))
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


def _nearest_first(analysis: Analysis, files: dict[Source, dict[int, Line]]) -> list[Source]:
    lineage = analysis.program.lineage

    def distance(source: Source) -> int:
        return 0 if source is analysis.source else lineage.index(parse_spec(source).header.name.text)

    return sorted(files, key=distance)


def _lines(analysis: Analysis) -> dict[Source, dict[int, Line]]:
    """The lines that contribute stages, by file and line number (from 1), without the library."""
    graph = analysis.graph
    files: dict[Source, dict[int, Line]] = {analysis.source: {}}

    def line(source: Source, number: int) -> Line:
        return files.setdefault(source, {}).setdefault(number, Line())

    for span, visit in visits(graph):
        if not span.source.is_library:
            # The shape after bodies belongs to their last line.
            number = span.source.position(span.end - 1)[0] if visit.has_bodies else span.line
            line(span.source, number).add(span, visit)
    size = analysis.program.input
    if size and size.span.source in files:
        line(size.span.source, size.span.line).add_shapes(size.span, graph.input)
    return files


def _cells(graph: Graph, line: Line) -> tuple[str, str, str]:
    """The texts for output shape, parameters and multiply-accumulates."""
    cost = graph.cost_of(line.values)
    return shapes_text(line.shapes), _count(cost.parameters), _count(cost.macs)


def _count(number: int) -> str:
    return f"{number:,}" if number else ""
