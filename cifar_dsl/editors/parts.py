"""What pages and panes beside a text show of its spec, as data for JSON."""

from pathlib import Path
from typing import Any

from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.text import in_short
from cifar_dsl.ir import Node
from cifar_dsl.ir.source_map import visits
from cifar_dsl.views import table
from cifar_dsl.views.pictures import as_svg, draw

_ORDER = (0, 2, 3, 4, 1)  # of the table's columns: the long paths last, since a page may be narrow


def heading(analysis: Analysis) -> dict[str, Any]:
    """Name, fingerprint, shapes and counts."""
    graph = analysis.graph
    return {
        "name": analysis.program.name.text,
        "fingerprint": analysis.fingerprint,
        "summary": f"{graph.input} to {graph.shape_of(graph.output)}, {graph.cost.parameters:,} parameters, "
        f"{in_short(graph.cost.macs)} multiply-accumulates",
    }


def picture(analysis: Analysis) -> dict[str, Any]:
    """The network as SVG, for a place below `heading`. Raises UserError if it is too large."""
    return {"svg": as_svg(draw(analysis.graph, analysis.program.name.text), has_heading=False).decode()}


def layers(analysis: Analysis, path: Path) -> dict[str, Any]:
    """The table of layers; `lines` has the line of each row in the file at `path`, from 1, and 0 for other rows."""
    graph, own = analysis.graph, str(path)
    return {
        "head": [table.HEAD[i] for i in _ORDER],
        "numbers": [_ORDER.index(i) for i in sorted(table.NUMBERS)],
        "rows": [[row[i] for i in _ORDER] for row in table.rows_of(graph)],
        "lines": [0, *(_line(node, own) for node in graph.nodes), 0],
        "notes": "\n".join(table.notes(analysis)).strip("\n"),
    }


def stages(analysis: Analysis, path: Path) -> list[dict[str, Any]]:
    """The lines of the file at `path` that each stage is on, from 1 (`first` to `last`), with its path in the network.

    The path of a block, join or scope begins those of its layers. A stage that is expanded several times has several
    entries.
    """
    own = str(path)
    spans = ((span, visit.path) for span, visit in visits(analysis.graph) if span.source.name == own)
    return [{"first": span.line, "last": span.source.position(span.end)[0], "path": place} for span, place in spans]


def _line(node: Node, file: str) -> int:
    return node.span.line if node.span is not None and node.span.source.name == file else 0
